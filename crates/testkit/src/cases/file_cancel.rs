//! Transfers that are cancelled midway.

use std::time::Duration;

use anyhow::ensure;
use hostlink_core::ErrorKind;
use hostlink_core::transfer::{GetOptions, PutOptions, Sink, Source};

use crate::child::drip;
use crate::random;
use crate::scene::{Scene, checksum_here, leftovers_in};
use crate::settings::plain;
use crate::watch::until;

cases![
    dropping_a_put_leaves_the_old_file_and_nothing_else: SecondSession,
    dropping_a_put_of_a_path_leaves_the_old_file_or_the_new_one: SecondSession,
    a_put_that_runs_out_of_time_leaves_the_old_file_and_nothing_else: SecondSession,
    dropping_a_get_leaves_the_old_file_and_nothing_else: SecondSession,
    a_get_that_runs_out_of_time_leaves_the_old_file_and_nothing_else: SecondSession,
    dropping_a_put_keeps_a_file_named_like_the_temporary: SecondSession,
];

/// Returns sources of unknown and of known length, neither of which ever ends.
fn endless() -> [Source; 2] {
    [Source::reader(drip()), Source::sized_reader(drip(), 1 << 40)]
}

async fn dropping_a_put_leaves_the_old_file_and_nothing_else(scene: &Scene) -> anyhow::Result<()> {
    for source in endless() {
        let path = scene.plant("file", b"old").await?;
        let options = PutOptions::default();
        tokio::select! {
            put = scene.link.put_file(source, &path, &options) => anyhow::bail!("it ended: {put:?}"),
            seen = until("a temporary file", || async {
                Ok(!scene.leftovers().await?.is_empty())
            }) => seen?,
        }
        expect_cleared(scene).await?;
    }
    Ok(())
}

/// Waits until the cleanup is done. It continues after the drop; a disconnect would wait for it.
async fn expect_cleared(scene: &Scene) -> anyhow::Result<()> {
    until("the temporary file goes", || async { Ok(scene.leftovers().await?.is_empty()) }).await?;
    scene.expect_content(&scene.path("file"), b"old").await
}

async fn dropping_a_put_of_a_path_leaves_the_old_file_or_the_new_one(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = scene.file_here("from", &random::bytes(32 * 1024 * 1024))?;
    let new = checksum_here(&from).await?;
    for wait in [0, 1, 3, 10, 30, 100] {
        let path = scene.plant("file", b"old").await?;
        let old = scene.checksum(&path).await?;
        let options = PutOptions::default();
        let put = scene.link.put_file(&*from, &path, &options);
        let _ = tokio::time::timeout(Duration::from_millis(wait), put).await;
        until("the temporary file goes", || async { Ok(scene.leftovers().await?.is_empty()) })
            .await?;
        let found = scene.checksum(&path).await?;
        ensure!(found == old || found == new, "{wait} ms: {found}, not {old} or {new}");
    }
    Ok(())
}

async fn a_put_that_runs_out_of_time_leaves_the_old_file_and_nothing_else(
    scene: &Scene,
) -> anyhow::Result<()> {
    let arguments = plain().with_timeout(Duration::from_secs(1));
    let options = PutOptions::default().with_arguments(arguments);
    for source in endless() {
        let path = scene.plant("file", b"old").await?;
        let put = scene.link.put_file(source, &path, &options).await;
        let kind = put.err().map(|error| error.kind());
        ensure!(kind == Some(ErrorKind::Timeout), "{kind:?}");
        // A slow target is cleaned in the background.
        expect_cleared(scene).await?;
        scene.expect_no_leftovers().await?;
    }
    Ok(())
}

async fn dropping_a_get_leaves_the_old_file_and_nothing_else(scene: &Scene) -> anyhow::Result<()> {
    scene.plant_endless("endless").await?;
    let to = scene.file_here("to", b"old")?;
    let (path, options) = (scene.path("endless"), GetOptions::default());
    tokio::select! {
        got = scene.link.get_file(&path, &*to, &options) => anyhow::bail!("it ended: {got:?}"),
        seen = until("a temporary file", || async {
            Ok(!leftovers_in(&scene.here(""))?.is_empty())
        }) => seen?,
    }
    until("the temporary file goes", || async { Ok(leftovers_in(&scene.here(""))?.is_empty()) })
        .await?;
    ensure!(std::fs::read(to)? == b"old");
    Ok(())
}

async fn a_get_that_runs_out_of_time_leaves_the_old_file_and_nothing_else(
    scene: &Scene,
) -> anyhow::Result<()> {
    scene.plant_endless("endless").await?;
    let to = scene.file_here("to", b"old")?;
    let arguments = plain().with_timeout(Duration::from_secs(1));
    let options = GetOptions::default().with_arguments(arguments);
    for sink in [Sink::from(&*to), Sink::Writer(&mut tokio::io::sink())] {
        let got = scene.link.get_file(&scene.path("endless"), sink, &options).await;
        let kind = got.err().map(|error| error.kind());
        ensure!(kind == Some(ErrorKind::Timeout), "{kind:?}");
    }
    ensure!(std::fs::read(to)? == b"old");
    scene.expect_no_leftovers().await
}

/// Until the target reports that it made the temporary file, a file of that name is not ours.
async fn dropping_a_put_keeps_a_file_named_like_the_temporary(scene: &Scene) -> anyhow::Result<()> {
    let temporary = scene.plant("precious", b"kept").await?;
    for wait in [0, 1, 2, 3, 4, 6, 8, 12] {
        let options =
            PutOptions { remote_temp_filename: Some(temporary.clone()), ..PutOptions::default() };
        let (link, path) = (scene.another_link().await?, scene.path("new"));
        let put = link.put_file(Source::reader(&b"content"[..]), &path, &options);
        let _ = tokio::time::timeout(Duration::from_millis(wait), put).await;
        link.disconnect().await?;
        ensure!(scene.holds("[ -e precious ]").await?, "it was removed after {wait} ms");
    }
    scene.expect_content(&temporary, b"kept").await
}
