//! Transfers that are refused, with a reason.

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions, Source, TEMPORARY_MARK, Transferred};
use hostlink_core::{Error, ErrorKind};
use tokio::io::AsyncWriteExt;

use crate::scene::{Scene, leftovers_in};
use crate::watch::until;

cases![
    a_directory_at_the_destination_is_an_error_and_stays,
    a_missing_directory_is_an_error,
    a_directory_that_takes_no_file_is_an_error,
    a_source_that_is_missing_or_a_directory_is_an_error,
    getting_what_is_missing_or_a_directory_leaves_the_old_file,
    getting_into_a_missing_directory_is_an_error,
    an_existing_file_named_like_the_temporary_is_kept,
    a_temporary_chosen_by_the_caller_is_used_and_removed,
    a_put_whose_temporary_is_removed_leaves_the_old_file_or_the_new_one,
    the_search_for_leftovers_finds_one,
];

fn kind(result: Result<Transferred, Error>) -> anyhow::Result<ErrorKind> {
    match result {
        Ok(done) => anyhow::bail!("it was done: {done:?}"),
        Err(error) => {
            ensure!(error.target().is_some(), "no target is named: {error}");
            Ok(error.kind())
        }
    }
}

fn sources(scene: &Scene) -> anyhow::Result<[Source; 3]> {
    let from = scene.file_here("from", b"content")?;
    Ok([Source::path(from), Source::bytes("content"), Source::reader(&b"content"[..])])
}

async fn put(scene: &Scene, source: Source, path: &str) -> anyhow::Result<ErrorKind> {
    kind(scene.link.put_file(source, path, &PutOptions::default()).await)
}

async fn a_directory_at_the_destination_is_an_error_and_stays(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkdir d; ln -s d link").await?;
    for name in ["d", "d/", "link", "new/"] {
        for source in sources(scene)? {
            let kind = put(scene, source, &scene.path(name)).await?;
            ensure!(kind == ErrorKind::IsADirectory, "{name}: {kind}");
        }
    }
    ensure!(scene.holds("[ -h link ] && [ ! -e new ] && rmdir d").await?, "something was stored");
    scene.expect_no_leftovers().await
}

async fn a_missing_directory_is_an_error(scene: &Scene) -> anyhow::Result<()> {
    for source in sources(scene)? {
        let kind = put(scene, source, &scene.path("missing/file")).await?;
        ensure!(kind == ErrorKind::NotFound, "{kind}");
    }
    ensure!(scene.sh_text("ls -A").await?.is_empty(), "something was made");
    Ok(())
}

async fn a_directory_that_takes_no_file_is_an_error(scene: &Scene) -> anyhow::Result<()> {
    for source in sources(scene)? {
        // Not even root can create a file there.
        let kind = put(scene, source, "/proc/hl-nope").await?;
        ensure!([ErrorKind::PermissionDenied, ErrorKind::NotFound].contains(&kind), "{kind}");
    }
    Ok(())
}

async fn a_source_that_is_missing_or_a_directory_is_an_error(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", b"old").await?;
    let found = put(scene, Source::path(scene.here("missing")), &path).await?;
    ensure!(found == ErrorKind::NotFound, "{found}");
    let found = put(scene, Source::path(scene.here("")), &path).await?;
    ensure!(found == ErrorKind::IsADirectory, "{found}");
    scene.expect_content(&path, b"old").await?;
    scene.expect_no_leftovers().await
}

async fn getting_what_is_missing_or_a_directory_leaves_the_old_file(
    scene: &Scene,
) -> anyhow::Result<()> {
    let to = scene.file_here("to", b"old")?;
    let mut buffer = Vec::new();
    for (name, wanted) in [
        ("missing", ErrorKind::NotFound),
        ("missing/deeper", ErrorKind::NotFound),
        (".", ErrorKind::IsADirectory),
    ] {
        let path = scene.path(name);
        let options = GetOptions::default();
        let found = kind(scene.link.get_file(&path, &*to, &options).await)?;
        ensure!(found == wanted, "{name}: {found}");
        let found = kind(scene.link.get_file(&path, &mut buffer, &options).await)?;
        ensure!(found == wanted && buffer.is_empty(), "{name}: {found}");
    }
    ensure!(std::fs::read(to)? == b"old");
    scene.expect_no_leftovers().await
}

async fn getting_into_a_missing_directory_is_an_error(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", b"content").await?;
    for (name, wanted) in [("missing/to", ErrorKind::NotFound), ("", ErrorKind::IsADirectory)] {
        let to = scene.here(name);
        let found = kind(scene.link.get_file(&path, to, &GetOptions::default()).await)?;
        ensure!(found == wanted, "{name:?}: {found}");
    }
    scene.expect_no_leftovers().await
}

async fn a_put_whose_temporary_is_removed_leaves_the_old_file_or_the_new_one(
    scene: &Scene,
) -> anyhow::Result<()> {
    let path = scene.plant("file", b"old").await?;
    let (mut writer, reader) = tokio::io::duplex(1024);
    let options = PutOptions::default();
    let put = scene.link.put_file(Source::reader(reader), &path, &options);
    let meddle = async move {
        writer.write_all(b"n").await?;
        until("a temporary file", || async { Ok(!scene.leftovers().await?.is_empty()) }).await?;
        scene.remove_leftovers().await?;
        anyhow::Ok(writer.write_all(b"ew").await?)
    };
    let (put, meddled) = tokio::join!(put, meddle);
    meddled?;
    scene.expect_content(&path, if put.is_ok() { b"new" } else { b"old" }).await?;
    scene.expect_no_leftovers().await
}

async fn the_search_for_leftovers_finds_one(scene: &Scene) -> anyhow::Result<()> {
    let name = format!(".x{TEMPORARY_MARK}0123");
    scene.plant(&name, b"").await?;
    ensure!(scene.leftovers().await?.len() == 1, "not on the target");
    ensure!(scene.expect_no_leftovers().await.is_err());
    let path = scene.file_here(&name, b"")?;
    ensure!(leftovers_in(&scene.here(""))? == [path], "not here");
    Ok(())
}

/// Whatever goes wrong, a file that already had the name chosen by the caller is not removed.
async fn an_existing_file_named_like_the_temporary_is_kept(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkdir precious d; echo kept >precious/file; echo kept >file").await?;
    for (taken, path) in [("precious", "new"), ("file", "new"), ("precious", "d"), ("file", "d")] {
        for source in sources(scene)? {
            let temporary = Some(scene.path(taken));
            let options = PutOptions { remote_temp_filename: temporary, ..PutOptions::default() };
            kind(scene.link.put_file(source, &scene.path(path), &options).await)?;
            let kept = scene.sh_text("cat precious/file file; ls new 2>&1 | wc -l").await?;
            ensure!(kept == "kept\nkept\n1", "{taken}, {path}: {kept:?}");
        }
    }
    Ok(())
}

async fn a_temporary_chosen_by_the_caller_is_used_and_removed(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkdir place").await?;
    for source in sources(scene)? {
        let temporary = Some(scene.path("place/temporary"));
        let options = PutOptions { remote_temp_filename: temporary, ..PutOptions::default() };
        scene.link.put_file(source, &scene.path("new"), &options).await?;
        ensure!(scene.sh_text("cat new; ls place").await? == "content");
        scene.sh("rm new").await?;
    }
    Ok(())
}
