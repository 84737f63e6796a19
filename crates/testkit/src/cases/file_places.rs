//! Destinations that are more than a plain file.

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions, Sink, Source};

use crate::scene::Scene;

cases![
    a_symlink_at_the_destination_is_followed_and_stays,
    a_dangling_symlink_at_the_destination_makes_its_target,
    a_symlink_is_replaced_when_it_is_not_to_be_followed,
    a_loop_of_symlinks_is_an_error,
    a_symlink_is_followed_when_a_file_is_got,
    a_fifo_is_written_in_place,
    only_a_regular_file_is_read,
    a_device_is_written_in_place_and_stays,
    a_file_that_is_a_mount_point_is_written_in_place: Mount,
];

fn sources() -> [Source; 2] {
    [Source::bytes("content"), Source::reader(&b"content"[..])]
}

async fn a_symlink_at_the_destination_is_followed_and_stays(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkdir d; ln -s ../d/two d/one; mkdir d/d; ln -s ./d/../three d/two").await?;
    let from = scene.file_here("from", b"content")?;
    for source in sources().into_iter().chain([Source::path(from)]) {
        scene.sh("echo old >d/three; chmod 640 d/three").await?;
        scene.link.put_file(source, &scene.path("d/one"), &PutOptions::default()).await?;
        let links = scene.sh_text("readlink d/one; readlink d/two").await?;
        ensure!(links == "../d/two\n./d/../three", "{links:?}");
        scene.expect_content(&scene.path("d/three"), b"content").await?;
        ensure!(scene.sh_text("stat -c %a d/three").await? == "640");
    }
    scene.expect_no_leftovers().await
}

async fn a_dangling_symlink_at_the_destination_makes_its_target(
    scene: &Scene,
) -> anyhow::Result<()> {
    let from = scene.file_here("from", b"content")?;
    for source in sources().into_iter().chain([Source::path(from)]) {
        scene.sh("rm -f target; ln -sf target link").await?;
        scene.link.put_file(source, &scene.path("link"), &PutOptions::default()).await?;
        ensure!(scene.sh_text("readlink link").await? == "target");
        scene.expect_content(&scene.path("target"), b"content").await?;
    }
    scene.expect_no_leftovers().await
}

async fn a_symlink_is_replaced_when_it_is_not_to_be_followed(scene: &Scene) -> anyhow::Result<()> {
    let options = PutOptions::default().with_follow(false);
    let from = scene.file_here("from", b"content")?;
    for target in ["target", "missing", "directory"] {
        for source in sources().into_iter().chain([Source::path(&from)]) {
            scene
                .sh(&format!(
                    "mkdir -p directory; echo old >target; rm -f link; ln -s {target} link"
                ))
                .await?;
            scene.link.put_file(source, &scene.path("link"), &options).await?;
            ensure!(scene.holds("[ -f link ] && [ ! -h link ]").await?, "{target}: still a link");
            scene.expect_content(&scene.path("link"), b"content").await?;
            scene.expect_content(&scene.path("target"), b"old\n").await?;
            ensure!(scene.holds("[ ! -e missing ] && rmdir directory").await?, "{target}");
        }
    }
    scene.expect_no_leftovers().await
}

async fn a_loop_of_symlinks_is_an_error(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("ln -s b a; ln -s a b").await?;
    let from = scene.file_here("from", b"content")?;
    for source in sources().into_iter().chain([Source::path(from)]) {
        let put = scene.link.put_file(source, &scene.path("a"), &PutOptions::default()).await;
        ensure!(put.is_err(), "it was stored: {put:?}");
    }
    ensure!(scene.sh_text("readlink a; readlink b").await? == "b\na");
    scene.expect_no_leftovers().await
}

async fn a_symlink_is_followed_when_a_file_is_got(scene: &Scene) -> anyhow::Result<()> {
    scene.plant("target", b"content").await?;
    scene.sh("ln -s target link").await?;
    let to = scene.here("to");
    scene.link.get_file(&scene.path("link"), &*to, &GetOptions::default()).await?;
    ensure!(std::fs::read(&to)? == b"content" && !to.is_symlink());
    // A symlink on this machine is followed too.
    let link = scene.here("link");
    std::os::unix::fs::symlink("to", &link)?;
    scene.plant("target", b"other").await?;
    scene.link.get_file(&scene.path("link"), &*link, &GetOptions::default()).await?;
    ensure!(link.is_symlink() && std::fs::read(&to)? == b"other");
    scene.expect_no_leftovers().await
}

async fn a_fifo_is_written_in_place(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkfifo fifo").await?;
    let from = scene.file_here("from", b"content")?;
    for source in sources().into_iter().chain([Source::path(from)]) {
        let options = PutOptions::default();
        let (path, reader) = (scene.path("fifo"), scene.sh("cat fifo"));
        let (put, read) = tokio::join!(scene.link.put_file(source, &path, &options), reader);
        ensure!(put?.in_place, "the result says that the FIFO was replaced");
        ensure!(read? == b"content");
        ensure!(scene.holds("[ -p fifo ]").await?, "the FIFO was replaced");
    }
    scene.expect_no_leftovers().await
}

async fn only_a_regular_file_is_read(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkfifo fifo; ln -s fifo link; ln -s /dev/zero zero").await?;
    let (to, mut buffer) = (scene.here("to"), Vec::new());
    for name in ["fifo", "link", "zero"] {
        for sink in [Sink::Path(to.clone()), Sink::Buffer(&mut buffer)] {
            let got = scene.link.get_file(&scene.path(name), sink, &GetOptions::default()).await;
            let error = got.err().map(|error| error.to_string()).unwrap_or_default();
            ensure!(error.contains(&format!("{name} is not a regular file")), "{name}: {error}");
        }
    }
    ensure!(!to.exists() && buffer.is_empty(), "something was read");
    Ok(())
}

async fn a_device_is_written_in_place_and_stays(scene: &Scene) -> anyhow::Result<()> {
    // Uses a device of our own where one can be made: a library that replaces it must not harm the
    // machine.
    scene.sh("mknod null c 1 3 2>/dev/null || ln -s /dev/null null").await?;
    let from = scene.file_here("from", b"content")?;
    for source in sources().into_iter().chain([Source::path(from)]) {
        let put = scene.link.put_file(source, &scene.path("null"), &PutOptions::default()).await?;
        ensure!(put.in_place, "the result says that the device was replaced");
        ensure!(scene.holds("[ -c null ]").await?, "the device was replaced");
    }
    scene.expect_no_leftovers().await
}

async fn a_file_that_is_a_mount_point_is_written_in_place(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("echo old >file; echo mounted >other; mount --bind other file").await?;
    let tried = put_on_mount_point(scene).await;
    scene.sh("umount file").await?;
    tried?;
    scene.expect_content(&scene.path("file"), b"old\n").await?;
    scene.expect_no_leftovers().await
}

async fn put_on_mount_point(scene: &Scene) -> anyhow::Result<()> {
    let from = scene.file_here("from", b"content")?;
    for source in sources().into_iter().chain([Source::path(from)]) {
        scene.plant("other", b"a longer text than the new one").await?;
        let put = scene.link.put_file(source, &scene.path("file"), &PutOptions::default()).await?;
        ensure!(put.in_place, "the result says that the mount point was replaced");
        scene.expect_content(&scene.path("other"), b"content").await?;
    }
    Ok(())
}
