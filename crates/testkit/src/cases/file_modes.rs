//! Modes, owners and times of files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions, Source};

use crate::scene::Scene;
use crate::snapshot::set_time;

cases![
    a_mode_that_is_asked_for_is_set,
    an_existing_destination_keeps_its_mode_and_owner,
    a_new_file_has_the_bits_of_its_source_less_the_umask,
    bytes_and_readers_make_files_of_0666_less_the_umask,
    preserve_keeps_mode_and_time_of_a_put,
    preserve_keeps_mode_and_time_of_a_get,
    a_get_keeps_the_mode_of_the_local_file,
    a_new_local_file_has_the_remote_bits_less_the_umask,
];

async fn stat(scene: &Scene, name: &str, format: &str) -> anyhow::Result<String> {
    scene.sh_text(&format!("stat -c '{format}' {name}")).await
}

async fn umask_there(scene: &Scene) -> anyhow::Result<u32> {
    Ok(u32::from_str_radix(&scene.sh_text("umask").await?, 8)?)
}

fn umask_here(scene: &Scene) -> anyhow::Result<u32> {
    let probe = scene.file_here("umask-probe", b"")?;
    Ok(0o666 & !mode(&probe)?)
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    Ok(fs::metadata(path)?.mode() & 0o7777)
}

fn source(scene: &Scene, bits: u32) -> anyhow::Result<std::path::PathBuf> {
    let path = scene.file_here("source", b"content")?;
    fs::set_permissions(&path, Permissions::from_mode(bits))?;
    set_time(&path, 1_000_000_001)?;
    Ok(path)
}

async fn a_mode_that_is_asked_for_is_set(scene: &Scene) -> anyhow::Result<()> {
    for wanted in [0o600, 0o444, 0o777, 0o4755] {
        let options = PutOptions::default().with_mode(wanted);
        for from in [Source::path(source(scene, 0o640)?), Source::bytes("content")] {
            scene.link.put_file(from, &scene.path("file"), &options).await?;
            let found = stat(scene, "file", "%a").await?;
            ensure!(found == format!("{wanted:o}"), "{found}, not {wanted:o}");
        }
    }
    scene.expect_no_leftovers().await
}

async fn an_existing_destination_keeps_its_mode_and_owner(scene: &Scene) -> anyhow::Result<()> {
    let from = source(scene, 0o755)?;
    // Only root may give a file away. Without root the owner is ours before and after.
    let given = "[ \"$(id -u)\" != 0 ] || chown 12345:23456 file";
    let cases = [
        (Source::path(from.clone()), given),
        (Source::bytes("content"), given),
        (Source::path(from), ":"),
    ];
    for (from, owner) in cases {
        scene.sh(&format!("rm -f file; echo old >file; chmod 640 file; {owner}")).await?;
        let before = stat(scene, "file", "%a %u:%g").await?;
        scene.link.put_file(from, &scene.path("file"), &PutOptions::default()).await?;
        let after = stat(scene, "file", "%a %u:%g").await?;
        ensure!(before == after && after.starts_with("640 "), "{before} became {after}");
        scene.expect_content(&scene.path("file"), b"content").await?;
    }
    Ok(())
}

async fn a_new_file_has_the_bits_of_its_source_less_the_umask(scene: &Scene) -> anyhow::Result<()> {
    let umask = umask_there(scene).await?;
    for bits in [0o777, 0o666, 0o640, 0o400] {
        let name = format!("file{bits:o}");
        let from = source(scene, bits)?;
        scene.link.put_file(&*from, &scene.path(&name), &PutOptions::default()).await?;
        fs::remove_file(from)?;
        let found = stat(scene, &name, "%a").await?;
        ensure!(found == format!("{:o}", bits & !umask), "{bits:o} became {found}");
    }
    Ok(())
}

async fn bytes_and_readers_make_files_of_0666_less_the_umask(scene: &Scene) -> anyhow::Result<()> {
    let wanted = format!("{:o}", 0o666 & !umask_there(scene).await?);
    for (name, from) in [("a", Source::bytes("x")), ("b", Source::reader(&b"x"[..]))] {
        scene.link.put_file(from, &scene.path(name), &PutOptions::default()).await?;
        let found = stat(scene, name, "%a").await?;
        ensure!(found == wanted, "{found}, not {wanted}");
    }
    Ok(())
}

async fn preserve_keeps_mode_and_time_of_a_put(scene: &Scene) -> anyhow::Result<()> {
    let options = PutOptions::default().with_preserve(true);
    scene.plant("file", b"old").await?;
    for name in ["new", "file"] {
        let from = source(scene, 0o751)?;
        scene.link.put_file(from, &scene.path(name), &options).await?;
        let found = stat(scene, name, "%a %Y").await?;
        ensure!(found == "751 1000000001", "{name}: {found}");
    }
    Ok(())
}

async fn preserve_keeps_mode_and_time_of_a_get(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", b"content").await?;
    scene.sh("chmod 751 file; TZ=UTC0 touch -t 200109090146.41 file").await?;
    scene.file_here("old", b"old")?;
    for name in ["new", "old"] {
        let to = scene.here(name);
        scene.link.get_file(&path, &*to, &GetOptions::default().with_preserve(true)).await?;
        let found = fs::metadata(&to)?;
        ensure!(found.mode() & 0o7777 == 0o751, "{name}: {:o}", found.mode());
        ensure!(found.mtime() == 1_000_000_001, "{name}: {}", found.mtime());
    }
    Ok(())
}

async fn a_get_keeps_the_mode_of_the_local_file(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", b"content").await?;
    scene.sh("chmod 755 file").await?;
    let to = source(scene, 0o640)?;
    scene.link.get_file(&path, &*to, &GetOptions::default()).await?;
    ensure!(mode(&to)? == 0o640, "{:o}", mode(&to)?);
    ensure!(fs::metadata(&to)?.mtime() != 1_000_000_001, "the time is not that of the writing");
    Ok(())
}

async fn a_new_local_file_has_the_remote_bits_less_the_umask(scene: &Scene) -> anyhow::Result<()> {
    let umask = umask_here(scene)?;
    let path = scene.plant("file", b"content").await?;
    for bits in [0o777, 0o640, 0o4755] {
        scene.sh(&format!("chmod {bits:o} file")).await?;
        let to = scene.here(&format!("to{bits:o}"));
        scene.link.get_file(&path, &*to, &GetOptions::default()).await?;
        ensure!(mode(&to)? == bits & 0o777 & !umask, "{bits:o} became {:o}", mode(&to)?);
    }
    Ok(())
}
