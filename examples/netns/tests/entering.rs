//! What is specific to `@netns`: whose network it is, and the errors if it cannot be entered.

use std::process::Command;
use std::sync::Arc;

use hostlink_core::{
    ConnectorArguments, Context, Data, Endpoint, ErrorKind, Link, Registry, Result, StringCommand,
};
use hostlink_example_netns::NetnsConnector;
use hostlink_local::LocalConnector;
use hostlink_testkit::{AbleConnector, differences};

mod namespace;

use namespace::Namespace;

async fn connect(target: &str, data: Data) -> Result<Link> {
    let mut registry = Registry::new();
    registry.register(Arc::new(LocalConnector));
    registry.register(Arc::new(NetnsConnector));
    registry.register(Arc::new(AbleConnector::new(LocalConnector)));
    registry.connect(target, &data, &Context::default()).await
}

#[tokio::test]
async fn commands_see_the_network_of_the_namespace() {
    let namespace = Namespace::make();
    let link = connect(&format!("@netns/{}", namespace.name()), Data::new()).await.unwrap();
    let command = StringCommand::shell("readlink /proc/self/ns/net; ls /sys/class/net");
    let output = link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    let lines = output.stdout_lines();
    assert_eq!(lines[1..], ["lo"]);
    let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(lines[0], ours.display().to_string(), "the control: it differs from ours");

    // `dial` would use the network of the target before it.
    let error =
        link.dial(&Endpoint::Tcp("127.0.0.1".to_owned(), 22)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_root_that_cannot_be_entered_is_reported() {
    let told = async |target: &str, data: Data| {
        let error = connect(target, data).await.unwrap_err();
        (error.kind(), error.message().to_owned())
    };
    let (kind, message) = told("@netns/hostlink-nowhere", Data::new()).await;
    let expected = "hostlink-nowhere: there is no such network namespace; `ip netns list` has them";
    assert_eq!((kind, message.as_str()), (ErrorKind::NotFound, expected));
    for target in ["@netns", "@netns/", "@netns/-a", "@netns/a b", "@netns/../x"] {
        assert_eq!(told(target, Data::new()).await.0, ErrorKind::Inventory, "{target}");
    }
    let (kind, message) = told("@netns/a", Data::new().with("netns_sudoo", true)).await;
    let expected = "netns_sudoo: there is no such key (did you mean netns_sudo?)";
    assert_eq!((kind, message.as_str()), (ErrorKind::Data, expected));
}

#[tokio::test]
async fn a_namespace_goes_with_its_test() {
    let list = || {
        let output = Command::new("ip").args(["netns", "list"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let namespace = Namespace::make();
    let name = namespace.name().to_owned();
    let is_listed = || list().lines().any(|line| line.split(' ').next() == Some(name.as_str()));
    assert!(is_listed(), "the control");
    drop(namespace);
    assert!(!is_listed());
}

#[tokio::test]
async fn what_the_target_can_do_holds_in_the_namespace_but_for_its_network() {
    let namespace = Namespace::make();
    let target = format!("@able/@netns/{}", namespace.name());
    let able = connect("@able", Data::new()).await.unwrap();
    let link = connect(&target, Data::new()).await.unwrap();
    let changed = differences(able.connection(), link.connection()).await;
    let expected =
        ["leads_process_groups", "is_this_machine", "file_transfer", "sockets", "forwards"];
    assert_eq!(changed, expected);
    link.disconnect().await.unwrap();
}
