//! Directories that are put where something exists already.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use anyhow::ensure;
use hostlink_core::ErrorKind;
use hostlink_core::transfer::{GetOptions, PutOptions};

use crate::scene::Scene;

cases![
    a_directory_that_is_there_is_merged_and_keeps_its_mode,
    a_symlink_instead_of_a_directory_is_refused_and_nothing_moves,
    a_file_instead_of_a_directory_and_the_reverse_are_refused,
    a_symlink_to_a_directory_at_the_destination_is_followed,
    a_file_at_the_destination_of_a_directory_is_refused,
    sockets_and_pipes_are_left_out_with_a_warning,
    a_local_directory_is_merged_and_keeps_its_mode,
    a_local_symlink_instead_of_a_directory_is_refused_and_nothing_moves,
    getting_a_directory_that_is_missing_or_a_file_makes_nothing,
];

/// Makes a directory with new files `sub/file` and `file`.
fn tree(scene: &Scene) -> anyhow::Result<PathBuf> {
    let from = scene.here("from");
    fs::create_dir_all(from.join("sub"))?;
    fs::write(from.join("file"), "new")?;
    fs::write(from.join("sub/file"), "new")?;
    symlink("file", from.join("link"))?;
    Ok(from)
}

async fn put(scene: &Scene, from: &PathBuf) -> Result<(), hostlink_core::Error> {
    scene.link.put_dir(from, &scene.path("tree"), &PutOptions::default()).await.map(|_| ())
}

async fn expect_refusal(scene: &Scene, from: &PathBuf) -> anyhow::Result<()> {
    let Err(error) = put(scene, from).await else { anyhow::bail!("it was not refused") };
    ensure!(error.kind() == ErrorKind::Transfer, "{error:?}");
    scene.expect_no_leftovers().await
}

async fn a_directory_that_is_there_is_merged_and_keeps_its_mode(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = tree(scene)?;
    scene.sh("mkdir -p tree/sub; for f in file other sub/file sub/other; do echo old >tree/$f; done; chmod 710 tree; ln -s other tree/link").await?;
    put(scene, &from).await?;
    let found = scene.sh_text("cd tree; cat file other sub/file sub/other").await?;
    ensure!(found == "newold\nnewold", "{found:?}");
    ensure!(scene.sh_text("stat -c %a tree; readlink tree/link").await? == "710\nfile");
    scene.expect_no_leftovers().await
}

async fn a_symlink_instead_of_a_directory_is_refused_and_nothing_moves(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = tree(scene)?;
    scene.sh("mkdir tree elsewhere; ln -s ../elsewhere tree/sub; echo old >tree/file").await?;
    expect_refusal(scene, &from).await?;
    ensure!(
        scene.sh_text("cat tree/file; ls -A elsewhere; readlink tree/sub").await?
            == "old\n../elsewhere"
    );
    Ok(())
}

async fn a_file_instead_of_a_directory_and_the_reverse_are_refused(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = tree(scene)?;
    for prepare in ["echo old >tree/sub", "mkdir tree/sub tree/file"] {
        scene.sh(&format!("rm -rf tree; mkdir tree; {prepare}; ls -A tree >before")).await?;
        expect_refusal(scene, &from).await?;
        ensure!(scene.sh_text("ls -A tree >after; cmp before after").await?.is_empty());
    }
    Ok(())
}

async fn a_symlink_to_a_directory_at_the_destination_is_followed(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = tree(scene)?;
    scene.sh("mkdir real; echo old >real/other; ln -s real tree").await?;
    put(scene, &from).await?;
    ensure!(scene.sh_text("readlink tree; cat real/sub/file real/other").await? == "real\nnewold");
    let (real, to) = (scene.here("real"), scene.here("to"));
    fs::create_dir(&real)?;
    symlink("real", &to)?;
    scene.link.get_dir(&scene.path("tree"), &to, &GetOptions::default()).await?;
    ensure!(to.is_symlink() && fs::read(real.join("sub/file"))? == b"new");
    scene.expect_no_leftovers().await
}

async fn a_file_at_the_destination_of_a_directory_is_refused(scene: &Scene) -> anyhow::Result<()> {
    let from = tree(scene)?;
    let path = scene.plant("tree", b"old").await?;
    expect_refusal(scene, &from).await?;
    scene.expect_content(&path, b"old").await?;
    let file = scene.file_here("to", b"old")?;
    scene.sh("mkdir directory").await?;
    let got = scene.link.get_dir(&scene.path("directory"), &file, &GetOptions::default()).await;
    ensure!(got.is_err() && fs::read(file)? == b"old");
    scene.expect_no_leftovers().await
}

async fn sockets_and_pipes_are_left_out_with_a_warning(scene: &Scene) -> anyhow::Result<()> {
    let from = tree(scene)?;
    let _socket = std::os::unix::net::UnixListener::bind(from.join("socket"))?;
    put(scene, &from).await?;
    ensure!(scene.sh_text("ls -A tree").await? == "file\nlink\nsub");
    let events = scene.recorder.events();
    ensure!(
        events.iter().any(|event| event.contains("warning") && event.contains("socket")),
        "{events:?}"
    );
    Ok(())
}

async fn a_local_directory_is_merged_and_keeps_its_mode(scene: &Scene) -> anyhow::Result<()> {
    put(scene, &tree(scene)?).await?;
    let to = scene.here("to");
    fs::create_dir_all(to.join("sub"))?;
    for name in ["file", "other", "sub/file", "sub/other"] {
        fs::write(to.join(name), "old")?;
    }
    fs::set_permissions(&to, fs::Permissions::from_mode(0o710))?;
    scene.link.get_dir(&scene.path("tree"), &to, &GetOptions::default()).await?;
    for (name, wanted) in
        [("file", "new"), ("other", "old"), ("sub/file", "new"), ("sub/other", "old")]
    {
        ensure!(fs::read_to_string(to.join(name))? == wanted, "{name}");
    }
    ensure!(fs::metadata(&to)?.mode() & 0o7777 == 0o710);
    scene.expect_no_leftovers().await
}

async fn a_local_symlink_instead_of_a_directory_is_refused_and_nothing_moves(
    scene: &Scene,
) -> anyhow::Result<()> {
    put(scene, &tree(scene)?).await?;
    let (to, elsewhere) = (scene.here("to"), scene.here("elsewhere"));
    fs::create_dir(&to)?;
    fs::create_dir(&elsewhere)?;
    fs::write(to.join("file"), "old")?;
    symlink(&elsewhere, to.join("sub"))?;
    let got = scene.link.get_dir(&scene.path("tree"), &to, &GetOptions::default()).await;
    ensure!(got.is_err_and(|error| error.kind() == ErrorKind::Transfer));
    ensure!(fs::read(to.join("file"))? == b"old" && fs::read_dir(elsewhere)?.next().is_none());
    scene.expect_no_leftovers().await
}

async fn getting_a_directory_that_is_missing_or_a_file_makes_nothing(
    scene: &Scene,
) -> anyhow::Result<()> {
    scene.plant("file", b"").await?;
    let to = scene.here("to");
    for (name, wanted) in [("missing", ErrorKind::NotFound), ("file", ErrorKind::Transfer)] {
        let got = scene.link.get_dir(&scene.path(name), &to, &GetOptions::default()).await;
        let kind = got.err().map(|error| error.kind());
        ensure!(kind == Some(wanted), "{name}: {kind:?}");
    }
    ensure!(!to.exists());
    scene.expect_no_leftovers().await
}
