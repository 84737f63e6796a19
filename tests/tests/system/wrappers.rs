//! Wrappers pass on what the connection that they go through can do.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink::connector::{Connection, Outcome, Process, Script, SpawnOptions};
use hostlink::connectors::{ChrootConnector, LocalConnector};
use hostlink::{Context, Data, Link, Registry, Result};
use hostlink_testkit::{AbleConnector, Cut, Loss, WithoutFastPaths, differences};
use hostlink_tests::chroot::Root;

async fn connect(target: &str) -> Link {
    let mut registry = Registry::new();
    registry.register(Arc::new(AbleConnector::new(LocalConnector)));
    registry.register(Arc::new(ChrootConnector));
    registry.connect(target, &Data::new(), &Context::default()).await.unwrap()
}

/// Starts scripts, and passes on nothing.
#[derive(Debug)]
struct Forgetful(Link);

#[async_trait]
impl Connection for Forgetful {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        self.0.connection().spawn(script, options).await
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        self.0.disconnect().await
    }
}

#[tokio::test]
async fn the_control_a_wrapper_that_forgets_is_found() {
    let able = connect("@able").await;
    let forgotten = differences(able.connection(), &Forgetful(able.clone())).await;
    let all = [
        "terminal_beside_pipes",
        "leads_process_groups",
        "is_this_machine",
        "max_terminal_input",
        "file_program",
        "file_transfer",
        "sockets",
        "forwards",
        "fits",
        "slot",
        "probe",
    ];
    assert_eq!(forgotten, all);
}

#[tokio::test]
async fn the_wrappers_of_the_testkit_change_what_they_say() {
    let able = connect("@able").await;
    let without = WithoutFastPaths::new(able.clone());
    let changed = differences(able.connection(), &without).await;
    assert_eq!(changed, ["file_program", "file_transfer"]);

    let cut = Cut::new(able.clone(), Loss::Link, 1);
    let changed = differences(able.connection(), &cut).await;
    let (features, others) = changed.split_at(4);
    let of_cut =
        ["terminal_beside_pipes", "leads_process_groups", "is_this_machine", "file_program"];
    assert_eq!(features, of_cut);
    assert_eq!(others, ["file_transfer", "sockets", "forwards"]);
}

#[tokio::test]
async fn a_root_has_what_its_target_has_but_for_files_and_the_machine() {
    let root = Root::busybox();
    let able = connect("@able").await;
    let link = connect(&format!("@able/{}", root.target())).await;
    let changed = differences(able.connection(), link.connection()).await;
    assert_eq!(changed, ["is_this_machine", "file_program", "file_transfer"]);
    link.disconnect().await.unwrap();
}
