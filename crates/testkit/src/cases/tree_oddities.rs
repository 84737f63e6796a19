//! Directories that would break a naive copy.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions};

use crate::ability::Ability;
use crate::scene::Scene;
use crate::snapshot;

cases![
    two_directories_put_concurrently_to_one_new_destination_do_not_nest: SecondSession,
    a_destination_with_backslashes_is_one_name,
    times_in_the_future_are_accepted,
    times_before_1970_are_accepted,
];

fn tree(scene: &Scene, name: &str, files: usize) -> anyhow::Result<PathBuf> {
    let from = scene.here(name);
    fs::create_dir(&from)?;
    for number in 0..files {
        fs::write(from.join(format!("{name}-{number}")), name)?;
    }
    Ok(from)
}

async fn two_directories_put_concurrently_to_one_new_destination_do_not_nest(
    scene: &Scene,
) -> anyhow::Result<()> {
    let (one, two) = (tree(scene, "one", 3)?, tree(scene, "two", 3)?);
    let options = PutOptions::default();
    for round in scene.sample(0..10) {
        let name = format!("round-{round}");
        let path = scene.path(&name);
        let (first, second) = tokio::join!(
            scene.link.put_dir(&one, &path, &options),
            scene.link.put_dir(&two, &path, &options)
        );
        first.and(second)?;
        let found = scene.sh_text(&format!("ls -A {name} | wc -l")).await?;
        ensure!(found == "6", "{found} names in round {round}");
    }
    scene.expect_no_leftovers().await
}

async fn a_destination_with_backslashes_is_one_name(scene: &Scene) -> anyhow::Result<()> {
    let (from, back) = (tree(scene, "one", 3)?, scene.here("back"));
    let path = scene.path(r"we\tird\0101");
    scene.link.put_dir(&from, &path, &PutOptions::default()).await?;
    scene.link.get_dir(&path, &back, &GetOptions::default()).await?;
    snapshot::expect_equal(&from, &back)?;
    ensure!(scene.sh_text("ls -A | wc -l").await? == "1", "it was also stored elsewhere");
    Ok(())
}

/// GNU tar warns about each such file. The warnings must not hide its other messages.
async fn times_in_the_future_are_accepted(scene: &Scene) -> anyhow::Result<()> {
    // Enough files that their warnings fill a pipe. Without tar each file is a round trip.
    let files = if scene.has(Ability::Tar) { 1000 } else { 10 };
    let (from, back) = (tree(scene, "one", files)?, scene.here("back"));
    let future = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    for entry in fs::read_dir(&from)? {
        File::options().write(true).open(entry?.path())?.set_modified(future)?;
    }
    let path = scene.path("tree");
    scene.link.put_dir(&from, &path, &PutOptions::default()).await?;
    scene.link.get_dir(&path, &back, &GetOptions::default()).await?;
    snapshot::expect_equal(&from, &back)
}

async fn times_before_1970_are_accepted(scene: &Scene) -> anyhow::Result<()> {
    let (from, back) = (tree(scene, "one", 1)?, scene.here("back"));
    let file = File::options().write(true).open(from.join("one-0"))?;
    file.set_modified(UNIX_EPOCH - Duration::from_secs(300_000_000))?;
    let path = scene.path("tree");
    scene.link.put_dir(&from, &path, &PutOptions::default()).await?;
    scene.sh("TZ=UTC0 touch -t 196006010000 tree/one-0").await?;
    scene.link.get_dir(&path, &back, &GetOptions::default()).await?;
    ensure!(fs::read(back.join("one-0"))? == b"one");
    Ok(())
}
