//! Memory use that does not grow with the amount moved.

use anyhow::{Context as _, ensure};
use tokio::io::AsyncReadExt;

use crate::child::{self, LARGE};
use crate::scene::Scene;

cases![
    memory_is_flat_while_64_mebibytes_of_known_length_are_put: OwnDataPath | Alone,
    memory_is_flat_while_64_mebibytes_of_unknown_length_are_put: OwnDataPath | Alone,
    memory_is_flat_while_64_mebibytes_are_got: OwnDataPath | Alone,
    memory_is_flat_while_64_mebibytes_of_output_are_dropped: OwnDataPath | Alone,
    the_measure_of_memory_sees_an_allocation: OwnDataPath | Alone,
];

/// Limit in KiB above what a small transfer needs: a quarter of what is moved.
const LIMIT: i64 = 16 * 1024;

/// Measures by how many KiB one kind of work grows a child's memory.
async fn growth(scene: &Scene, what: &str) -> anyhow::Result<i64> {
    let arguments = [what, &scene.path("large")];
    let mut child = child::start(scene, "measure", &arguments)?;
    let mut said = String::new();
    let mut stdout = child.stdout.take().context("stdout is a pipe")?;
    stdout.read_to_string(&mut said).await?;
    ensure!(child.wait().await?.success(), "the child failed");
    let growth = said.trim().parse()?;
    println!("{}: {what} adds {growth} KiB", scene.fixture().name());
    Ok(growth)
}

async fn expect_flat(scene: &Scene, what: &str) -> anyhow::Result<()> {
    let growth = growth(scene, what).await?;
    ensure!(growth < LIMIT, "memory grew by {growth} KiB");
    Ok(())
}

async fn expect_large(scene: &Scene) -> anyhow::Result<()> {
    let size = scene.sh_text("wc -c <large").await?;
    ensure!(size == LARGE.to_string(), "{size} bytes arrived");
    Ok(())
}

async fn memory_is_flat_while_64_mebibytes_of_known_length_are_put(
    scene: &Scene,
) -> anyhow::Result<()> {
    expect_flat(scene, "sized").await?;
    expect_large(scene).await
}

async fn memory_is_flat_while_64_mebibytes_of_unknown_length_are_put(
    scene: &Scene,
) -> anyhow::Result<()> {
    expect_flat(scene, "unsized").await?;
    expect_large(scene).await
}

async fn memory_is_flat_while_64_mebibytes_are_got(scene: &Scene) -> anyhow::Result<()> {
    scene.sh(&format!("head -c {LARGE} /dev/zero >large")).await?;
    expect_flat(scene, "get").await
}

async fn memory_is_flat_while_64_mebibytes_of_output_are_dropped(
    scene: &Scene,
) -> anyhow::Result<()> {
    expect_flat(scene, "output").await
}

async fn the_measure_of_memory_sees_an_allocation(scene: &Scene) -> anyhow::Result<()> {
    let (nothing, much) = (growth(scene, "nothing").await?, growth(scene, "allocation").await?);
    ensure!(nothing < 1024, "doing nothing adds {nothing} KiB");
    ensure!(much > 90 * 1024, "100 MiB add {much} KiB");
    Ok(())
}
