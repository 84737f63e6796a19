//! Directories put and got back.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions};

use crate::ability::Ability;
use crate::scene::Scene;
use crate::settings::plain;
use crate::snapshot::{self, set_time};

cases![
    a_thousand_files_round_trip_and_compare_equal,
    names_that_are_not_utf_8_round_trip: Tar,
    an_empty_directory_round_trips,
    a_new_directory_has_the_mode_and_time_of_its_source,
    a_mode_that_is_asked_for_is_that_of_the_new_directory,
    a_relative_directory_starts_from_chdir,
    directories_with_odd_names_round_trip,
];

fn tree(scene: &Scene, count: usize) -> anyhow::Result<PathBuf> {
    let from = scene.here("from");
    fs::create_dir(&from)?;
    snapshot::fill(&from, count)?;
    Ok(from)
}

async fn a_thousand_files_round_trip_and_compare_equal(scene: &Scene) -> anyhow::Result<()> {
    // Without tar each file is a round trip.
    let count = if scene.has(Ability::Tar) { 1000 } else { 100 };
    let from = tree(scene, count)?;
    let path = scene.path("tree");
    let put = scene.link.put_dir(&from, &path, &PutOptions::default()).await?;
    let size: u64 = (0..count).map(|number| number as u64 % 2000).sum();
    ensure!(put.bytes == size && !put.in_place, "{put:?}, not {size}");
    let lines = "cd tree; find . -type f -exec stat -c '%a %Y %s %n' {} +";
    ensure!(sorted(&scene.sh_text(lines).await?) == manifest(&from)?, "the trees differ");
    let back = scene.here("back");
    let got = scene.link.get_dir(&path, &back, &GetOptions::default()).await?;
    ensure!(got.bytes == size, "{got:?}, not {size}");
    snapshot::expect_equal(&from, &back)?;
    scene.expect_no_leftovers().await
}

/// Returns the lines that `stat` prints, for a directory of this machine. A name may span two
/// lines.
fn manifest(root: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let files = snapshot::of(root)?.into_iter().filter_map(|(path, entry)| match entry {
        snapshot::Entry::File { mode, time, content } => {
            Some(format!("{mode:o} {time} {} ./{}", content.len(), path.display()))
        }
        _ => None,
    });
    Ok(sorted(&files.collect::<Vec<_>>().join("\n")))
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

async fn names_that_are_not_utf_8_round_trip(scene: &Scene) -> anyhow::Result<()> {
    let from = tree(scene, 0)?;
    snapshot::add_bytes_name(&from)?;
    let back = scene.here("back");
    scene.link.put_dir(&from, &scene.path("tree"), &PutOptions::default()).await?;
    scene.link.get_dir(&scene.path("tree"), &back, &GetOptions::default()).await?;
    snapshot::expect_equal(&from, &back)
}

async fn an_empty_directory_round_trips(scene: &Scene) -> anyhow::Result<()> {
    let (from, back) = (scene.here("from"), scene.here("back"));
    fs::create_dir(&from)?;
    scene.link.put_dir(&from, &scene.path("tree"), &PutOptions::default()).await?;
    ensure!(scene.sh_text("ls -A tree").await?.is_empty());
    scene.link.get_dir(&scene.path("tree"), &back, &GetOptions::default()).await?;
    ensure!(fs::read_dir(back)?.next().is_none());
    scene.expect_no_leftovers().await
}

async fn a_new_directory_has_the_mode_and_time_of_its_source(scene: &Scene) -> anyhow::Result<()> {
    let from = tree(scene, 5)?;
    fs::set_permissions(&from, fs::Permissions::from_mode(0o751))?;
    set_time(&from, 1_000_000_001)?;
    scene.link.put_dir(&from, &scene.path("tree"), &PutOptions::default()).await?;
    let found = scene.sh_text("stat -c '%a %Y' tree").await?;
    ensure!(found == "751 1000000001", "there: {found}");
    let back = scene.here("back");
    scene.link.get_dir(&scene.path("tree"), &back, &GetOptions::default()).await?;
    let found = fs::metadata(back)?;
    ensure!(found.mode() & 0o7777 == 0o751 && found.mtime() == 1_000_000_001, "{found:?}");
    Ok(())
}

async fn a_mode_that_is_asked_for_is_that_of_the_new_directory(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = tree(scene, 5)?;
    let options = PutOptions::default().with_mode(0o700);
    scene.link.put_dir(&from, &scene.path("tree"), &options).await?;
    let found = scene.sh_text("stat -c %a tree").await?;
    ensure!(found == "700", "{found}");
    Ok(())
}

async fn a_relative_directory_starts_from_chdir(scene: &Scene) -> anyhow::Result<()> {
    let (from, back) = (tree(scene, 5)?, scene.here("back"));
    let arguments = plain().with_chdir(scene.directory());
    let put = PutOptions::default().with_arguments(arguments.clone());
    scene.link.put_dir(&from, "-tree", &put).await?;
    ensure!(scene.holds("[ -d ./-tree/plain ]").await?, "it is not there");
    let get = GetOptions::default().with_arguments(arguments);
    scene.link.get_dir("-tree/", &back, &get).await?;
    snapshot::expect_equal(&from, &back)
}

async fn directories_with_odd_names_round_trip(scene: &Scene) -> anyhow::Result<()> {
    let from = scene.here("from");
    fs::create_dir(&from)?;
    fs::write(from.join("file"), "content")?;
    let names = ["a b", "it's", "-rf", "$HOME", "*", "n\nl", "end\n", "..x", "\\", "ünï"];
    for name in scene.sample(names) {
        let (path, back) = (scene.path(name), scene.here(name));
        scene.link.put_dir(&from, &path, &PutOptions::default()).await?;
        scene.expect_content(&format!("{path}/file"), b"content").await?;
        scene.link.get_dir(&path, &back, &GetOptions::default()).await?;
        snapshot::expect_equal(&from, &back)?;
    }
    scene.expect_no_leftovers().await
}
