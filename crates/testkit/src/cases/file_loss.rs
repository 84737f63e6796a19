//! Transfers whose stream breaks off.

use std::path::Path;

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions, Source};
use hostlink_core::{Context, Link};

use crate::scene::{Scene, leftovers_in};
use crate::watch::until;
use crate::{Cut, Loss, random};

cases![
    a_put_whose_input_ends_early_leaves_the_old_file_and_nothing_else: SecondSession,
    a_put_whose_link_is_lost_leaves_the_old_file: SecondSession,
    a_get_whose_output_ends_early_leaves_the_old_file_and_nothing_else: SecondSession,
    a_directory_whose_input_ends_early_does_not_appear: SecondSession,
    a_directory_whose_output_ends_early_does_not_appear: SecondSession,
    a_transfer_that_is_not_cut_goes_through_the_same_link,
];

const SIZE: usize = 3 * 1024 * 1024;

async fn cut(scene: &Scene, loss: Loss, after: usize) -> anyhow::Result<Link> {
    let connection = Cut::new(scene.another_link().await?, loss, after as u64);
    Ok(Link::new(Box::new(connection), "cut", Context::default()))
}

fn sources() -> [Source; 2] {
    let bytes = random::bytes(SIZE);
    [Source::bytes(bytes.clone()), Source::reader(std::io::Cursor::new(bytes))]
}

async fn a_put_whose_input_ends_early_leaves_the_old_file_and_nothing_else(
    scene: &Scene,
) -> anyhow::Result<()> {
    for after in [0, 1, SIZE / 2, SIZE - 1] {
        for source in sources() {
            let path = scene.plant("file", b"old").await?;
            let link = cut(scene, Loss::Input, after).await?;
            let put = link.put_file(source, &path, &PutOptions::default()).await;
            ensure!(put.is_err(), "{after} of {SIZE} bytes were taken for whole");
            scene.expect_content(&path, b"old").await?;
            scene.expect_no_leftovers().await?;
            link.disconnect().await?;
        }
    }
    Ok(())
}

async fn a_put_whose_link_is_lost_leaves_the_old_file(scene: &Scene) -> anyhow::Result<()> {
    for (number, after) in [0, SIZE / 2, SIZE - 1].into_iter().enumerate() {
        for source in sources() {
            scene.remove_leftovers().await?;
            let path = scene.plant(&format!("file{number}"), b"old").await?;
            let link = cut(scene, Loss::Link, after).await?;
            let put = link.put_file(source, &path, &PutOptions::default()).await;
            ensure!(put.is_err(), "{after} of {SIZE} bytes were taken for whole");
            until("nothing writes any more", || async {
                scene.holds("a=$(du -sk .); sleep 0.3; [ \"$a\" = \"$(du -sk .)\" ]").await
            })
            .await?;
            scene.expect_content(&path, b"old").await?;
            // No connection is left through which the temporary file could be removed.
            ensure!(scene.leftovers().await?.len() <= 1, "{:?}", scene.leftovers().await?);
            link.disconnect().await?;
        }
    }
    Ok(())
}

async fn a_get_whose_output_ends_early_leaves_the_old_file_and_nothing_else(
    scene: &Scene,
) -> anyhow::Result<()> {
    let path = scene.plant("file", &random::bytes(SIZE)).await?;
    // The announcements and the file's header come before its bytes, and a line after them.
    for after in [300, 1000, SIZE / 2, SIZE, SIZE + 100] {
        let to = scene.file_here("to", b"old")?;
        let link = cut(scene, Loss::Output, after).await?;
        let got = link.get_file(&path, &*to, &GetOptions::default()).await;
        ensure!(got.is_err(), "{after} bytes were taken for {SIZE}: {got:?}");
        ensure!(std::fs::read(&to)? == b"old", "the old file is gone after {after} bytes");
        scene.expect_no_leftovers().await?;
        link.disconnect().await?;
    }
    Ok(())
}

fn tree(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(path)?;
    for name in ["a", "b"] {
        std::fs::write(path.join(name), random::bytes(SIZE))?;
    }
    Ok(())
}

async fn a_directory_whose_input_ends_early_does_not_appear(scene: &Scene) -> anyhow::Result<()> {
    let from = scene.here("tree");
    tree(&from)?;
    // Without tar each file has its own input.
    for after in [0, 512, SIZE / 2, SIZE - 1] {
        let link = cut(scene, Loss::Input, after).await?;
        let put = link.put_dir(&from, &scene.path("new"), &PutOptions::default()).await;
        ensure!(put.is_err(), "{after} bytes were taken for whole");
        ensure!(!scene.holds("[ -e new ]").await?, "a part appeared after {after} bytes");
        scene.expect_no_leftovers().await?;
        link.disconnect().await?;
    }
    Ok(())
}

async fn a_directory_whose_output_ends_early_does_not_appear(scene: &Scene) -> anyhow::Result<()> {
    scene.sh(&format!("mkdir tree; head -c {SIZE} /dev/zero >tree/a; cp tree/a tree/b")).await?;
    for after in [300, 1500, SIZE / 2, SIZE - 1] {
        let (link, to) = (cut(scene, Loss::Output, after).await?, scene.here("new"));
        let got = link.get_dir(&scene.path("tree"), &to, &GetOptions::default()).await;
        ensure!(got.is_err(), "{after} bytes were taken for whole");
        ensure!(!to.exists(), "a part appeared after {after} bytes");
        ensure!(leftovers_in(&scene.here(""))?.is_empty(), "something is left");
        link.disconnect().await?;
    }
    Ok(())
}

async fn a_transfer_that_is_not_cut_goes_through_the_same_link(
    scene: &Scene,
) -> anyhow::Result<()> {
    for loss in [Loss::Input, Loss::Output, Loss::Link] {
        let link = cut(scene, loss, 100 * SIZE).await?;
        let (path, mut buffer) = (scene.path("file"), Vec::new());
        for source in sources() {
            link.put_file(source, &path, &PutOptions::default()).await?;
            buffer.clear();
            link.get_file(&path, &mut buffer, &GetOptions::default()).await?;
            ensure!(buffer.len() == SIZE, "{loss:?}");
        }
        link.disconnect().await?;
    }
    Ok(())
}
