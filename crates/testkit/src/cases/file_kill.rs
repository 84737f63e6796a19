//! Transfers whose program is killed.

use std::time::Duration;

use anyhow::ensure;

use crate::child;
use crate::random;
use crate::scene::{Scene, checksum_here, find_filled_temporaries, find_temporaries, leftovers_in};
use crate::watch::until;

cases![
    a_put_of_known_length_that_is_killed_leaves_the_old_file: SecondSession,
    a_put_of_unknown_length_that_is_killed_leaves_the_old_file: SecondSession,
    a_put_of_a_path_that_is_killed_leaves_the_old_file_or_the_new_one: SecondSession,
    a_get_that_is_killed_leaves_the_old_file: SecondSession,
];

async fn a_put_of_known_length_that_is_killed_leaves_the_old_file(
    scene: &Scene,
) -> anyhow::Result<()> {
    kill_put(scene, "1099511627776").await
}

async fn a_put_of_unknown_length_that_is_killed_leaves_the_old_file(
    scene: &Scene,
) -> anyhow::Result<()> {
    kill_put(scene, "unknown").await
}

/// Kills the program with SIGKILL, which it cannot handle.
async fn kill_put(scene: &Scene, length: &str) -> anyhow::Result<()> {
    let path = scene.plant("file", b"old").await?;
    let mut child = child::start(scene, "put-slowly", &[&path, length])?;
    let check = format!("[ \"$({})\" ]", find_filled_temporaries());
    let seen = until("a temporary file with content", || scene.holds(&check)).await;
    child.kill().await?;
    seen?;
    until_quiet(scene).await?;
    scene.expect_content(&path, b"old").await?;
    expect_one_leftover(scene).await
}

/// Fails if more than one temporary file or directory is left.
async fn expect_one_leftover(scene: &Scene) -> anyhow::Result<()> {
    let left = scene.leftovers().await?;
    ensure!(left.len() <= 1, "{left:?}");
    Ok(())
}

async fn a_put_of_a_path_that_is_killed_leaves_the_old_file_or_the_new_one(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = scene.file_here("from", &random::bytes(32 * 1024 * 1024))?;
    let new = checksum_here(&from).await?;
    for wait in [0, 20, 60] {
        scene.remove_leftovers().await?;
        let path = scene.plant("file", b"old").await?;
        let old = scene.checksum(&path).await?;
        let arguments = [&*from.to_string_lossy(), &*path];
        let mut child = child::start(scene, "put-again-and-again", &arguments)?;
        let find = find_temporaries("");
        let check = format!("[ \"$({find})\" ] || [ $(wc -c <file) -gt 3 ]");
        let seen = until("a temporary file, or the new one", || scene.holds(&check)).await;
        tokio::time::sleep(Duration::from_millis(wait)).await;
        child.kill().await?;
        seen?;
        until_quiet(scene).await?;
        let found = scene.checksum(&path).await?;
        ensure!(found == old || found == new, "a part: {found}, not {old} or {new}");
        expect_one_leftover(scene).await?;
    }
    Ok(())
}

/// Waits until nothing of the killed program runs on the target. It ends when its input does.
async fn until_quiet(scene: &Scene) -> anyhow::Result<()> {
    until("nothing writes any more", || {
        scene.holds("a=$(ls -lA); sleep 1; [ \"$a\" = \"$(ls -lA)\" ]")
    })
    .await
}

async fn a_get_that_is_killed_leaves_the_old_file(scene: &Scene) -> anyhow::Result<()> {
    scene.plant_endless("endless").await?;
    let to = scene.file_here("to", b"old")?;
    let arguments = [&*scene.path("endless"), &*to.to_string_lossy()];
    let mut child = child::start(scene, "get", &arguments)?;
    let seen = until("a temporary file with content", || async {
        let found = leftovers_in(&scene.here(""))?;
        Ok(found.iter().any(|path| path.metadata().is_ok_and(|found| found.len() > 0)))
    })
    .await;
    child.kill().await?;
    seen?;
    ensure!(std::fs::read(to)? == b"old");
    ensure!(leftovers_in(&scene.here(""))?.len() <= 1, "more than one temporary file");
    Ok(())
}
