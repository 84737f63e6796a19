//! Files put and got back.

use anyhow::ensure;
use hostlink_core::transfer::{GetOptions, PutOptions, Sink, Source};

use crate::random;
use crate::scene::{Scene, find_filled_temporaries, find_temporaries};

cases![
    files_of_any_size_round_trip_unchanged,
    every_kind_of_source_is_stored,
    every_kind_of_sink_is_filled,
    an_existing_file_is_replaced,
    a_reader_of_the_destination_never_sees_a_part: SecondSession,
    the_new_file_is_hidden_and_private_until_it_is_whole: SecondSession,
];

async fn files_of_any_size_round_trip_unchanged(scene: &Scene) -> anyhow::Result<()> {
    for size in [0, 1, 65_536, 65_537, 3 * 1024 * 1024] {
        let bytes = random::bytes(size);
        let (from, to) = (scene.file_here("from", &bytes)?, scene.here("to"));
        let path = scene.path("file");
        let put = scene.link.put_file(from, &path, &PutOptions::default()).await?;
        ensure!(put.bytes == size as u64 && !put.in_place, "{size}: {put:?}");
        scene.expect_content(&path, &bytes).await?;
        let got = scene.link.get_file(&path, &*to, &GetOptions::default()).await?;
        ensure!(got.bytes == size as u64 && !got.in_place, "{size}: {got:?}");
        ensure!(std::fs::read(to)? == bytes, "{size} bytes came back changed");
    }
    scene.expect_no_leftovers().await
}

async fn every_kind_of_source_is_stored(scene: &Scene) -> anyhow::Result<()> {
    for size in [0, 1, 300_000] {
        let bytes = random::bytes(size);
        let reader = || std::io::Cursor::new(bytes.clone());
        for (kind, source) in [
            ("path", Source::path(scene.file_here("from", &bytes)?)),
            ("bytes", Source::bytes(bytes.clone())),
            ("reader", Source::reader(reader())),
            ("sized", Source::sized_reader(reader(), size as u64)),
        ] {
            let path = scene.path(kind);
            let put = scene.link.put_file(source, &path, &PutOptions::default()).await?;
            ensure!(put.bytes == size as u64, "{kind}: {put:?}");
            scene.expect_content(&path, &bytes).await?;
        }
    }
    scene.expect_no_leftovers().await
}

async fn every_kind_of_sink_is_filled(scene: &Scene) -> anyhow::Result<()> {
    for size in [0, 1, 300_000] {
        let bytes = random::bytes(size);
        let path = scene.plant("file", &bytes).await?;
        let (to, mut buffer, mut written) = (scene.here("to"), Vec::new(), Vec::new());
        let options = GetOptions::default();
        scene.link.get_file(&path, &*to, &options).await?;
        scene.link.get_file(&path, &mut buffer, &options).await?;
        scene.link.get_file(&path, Sink::Writer(&mut written), &options).await?;
        ensure!(std::fs::read(to)? == bytes && buffer == bytes && written == bytes, "{size}");
    }
    Ok(())
}

async fn an_existing_file_is_replaced(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", &random::bytes(10_000)).await?;
    let to = scene.file_here("to", &random::bytes(10_000))?;
    scene.link.put_file(b"new".to_vec(), &path, &PutOptions::default()).await?;
    scene.expect_content(&path, b"new").await?;
    scene.link.get_file(&path, &*to, &GetOptions::default()).await?;
    ensure!(std::fs::read(to)? == b"new");
    scene.expect_no_leftovers().await
}

async fn a_reader_of_the_destination_never_sees_a_part(scene: &Scene) -> anyhow::Result<()> {
    let contents = [vec![b'b'; 1_000_000], vec![b'a'; 100_000]];
    let path = scene.plant("file", &contents[1]).await?;
    let watch = scene.sh("while [ ! -e stop ]; do md5sum <file; done | sort | uniq");
    let write = async {
        let mut whole = Vec::new();
        for number in 0..4 {
            for content in contents.clone() {
                let source = match number % 2 {
                    0 => Source::bytes(content),
                    _ => Source::reader(std::io::Cursor::new(content)),
                };
                scene.link.put_file(source, &path, &PutOptions::default()).await?;
                if number == 0 {
                    whole.push(scene.checksum(&path).await?);
                }
            }
        }
        scene.plant("stop", b"").await?;
        anyhow::Ok(whole)
    };
    let (seen, whole) = tokio::join!(watch, write);
    let (seen, mut whole) = (String::from_utf8(seen?)?, whole?);
    whole.sort();
    let seen: Vec<_> = seen.lines().map(str::trim).collect();
    ensure!(seen == whole, "the reader saw {seen:?}, not only the two contents {whole:?}");
    scene.expect_no_leftovers().await
}

async fn the_new_file_is_hidden_and_private_until_it_is_whole(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", b"old").await?;
    let source = Source::reader(crate::child::drip());
    let options = PutOptions::default().with_mode(0o666);
    let check = async {
        let filled = format!("[ \"$({})\" ]", find_filled_temporaries());
        crate::watch::until("a temporary file with content", || scene.holds(&filled)).await?;
        let modes = find_temporaries("-exec stat -c '%F %a' {} +");
        let found = scene.sh_text(&modes).await?;
        ensure!(["regular file 600", "directory 700"].contains(&&*found), "{found:?}");
        scene.expect_content(&path, b"old").await
    };
    tokio::select! {
        put = scene.link.put_file(source, &path, &options) => anyhow::bail!("it ended: {put:?}"),
        checked = check => checked,
    }
}
