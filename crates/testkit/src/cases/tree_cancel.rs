//! Transfers of directories that are cancelled midway.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use hostlink_core::ErrorKind;
use hostlink_core::transfer::{GetOptions, PutOptions};
use tokio::time::timeout;

use crate::scene::{Scene, leftovers_in};
use crate::settings::plain;
use crate::watch::until;
use crate::{random, snapshot};

cases![
    dropping_a_put_of_a_directory_leaves_all_or_nothing: SecondSession,
    dropping_a_get_of_a_directory_leaves_all_or_nothing: SecondSession,
    a_put_of_a_directory_that_runs_out_of_time_leaves_nothing: SecondSession,
    a_get_of_a_directory_that_runs_out_of_time_leaves_nothing: SecondSession,
];

/// Milliseconds after which a transfer is dropped.
const WAITS: [u64; 6] = [0, 3, 10, 30, 60, 100];

/// Makes 50 files, 30 MB in all: more than any buffer on the way holds.
fn tree(scene: &Scene) -> anyhow::Result<PathBuf> {
    let from = scene.here("from");
    std::fs::create_dir(&from)?;
    for number in 0..50 {
        std::fs::write(from.join(format!("file{number}")), random::bytes(600_000))?;
    }
    Ok(from)
}

async fn until_cleared_there(scene: &Scene) -> anyhow::Result<()> {
    until("the stage goes", || async { Ok(scene.leftovers().await?.is_empty()) }).await
}

async fn until_cleared_here(scene: &Scene) -> anyhow::Result<()> {
    until("the stage goes", || async { Ok(leftovers_in(&scene.here(""))?.is_empty()) }).await
}

async fn dropping_a_put_of_a_directory_leaves_all_or_nothing(scene: &Scene) -> anyhow::Result<()> {
    let from = tree(scene)?;
    for wait in WAITS {
        let (path, options) = (scene.path("tree"), PutOptions::default());
        let put = scene.link.put_dir(&from, &path, &options);
        let _ = timeout(Duration::from_millis(wait), put).await;
        until_cleared_there(scene).await?;
        let count = scene.sh_text("[ ! -e tree ] || ls tree | wc -l; rm -rf tree").await?;
        ensure!(count.is_empty() || count == "50", "{count} files after {wait} ms");
    }
    Ok(())
}

async fn dropping_a_get_of_a_directory_leaves_all_or_nothing(scene: &Scene) -> anyhow::Result<()> {
    let (from, to) = (tree(scene)?, scene.here("to"));
    scene.link.put_dir(&from, &scene.path("tree"), &PutOptions::default()).await?;
    for wait in WAITS {
        let (path, options) = (scene.path("tree"), GetOptions::default());
        let get = scene.link.get_dir(&path, &to, &options);
        let _ = timeout(Duration::from_millis(wait), get).await;
        until_cleared_here(scene).await?;
        if to.exists() {
            snapshot::expect_equal(&from, &to)?;
            std::fs::remove_dir_all(&to)?;
        }
    }
    Ok(())
}

async fn a_put_of_a_directory_that_runs_out_of_time_leaves_nothing(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = tree(scene)?;
    let options =
        PutOptions::default().with_arguments(plain().with_timeout(Duration::from_millis(10)));
    let put = scene.link.put_dir(&from, &scene.path("tree"), &options).await;
    let kind = put.err().map(|error| error.kind());
    ensure!(kind == Some(ErrorKind::Timeout), "{kind:?}");
    // A slow target is cleaned in the background.
    until_cleared_there(scene).await?;
    ensure!(!scene.holds("[ -e tree ]").await?, "a part appeared");
    scene.expect_no_leftovers().await
}

async fn a_get_of_a_directory_that_runs_out_of_time_leaves_nothing(
    scene: &Scene,
) -> anyhow::Result<()> {
    scene.sh("mkdir tree; head -c 300000000 /dev/zero >tree/a").await?;
    let options =
        GetOptions::default().with_arguments(plain().with_timeout(Duration::from_millis(20)));
    let to = scene.here("to");
    let got = scene.link.get_dir(&scene.path("tree"), &to, &options).await;
    let kind = got.err().map(|error| error.kind());
    ensure!(kind == Some(ErrorKind::Timeout), "{kind:?}");
    ensure!(!to.exists(), "a part appeared");
    scene.expect_no_leftovers().await
}
