//! Files from the server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostlink_core::ErrorKind;
use hostlink_core::transfer::{FileTransfer, GetOptions, Sink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LIMIT, Policy, SFTP_SERVER, Scene, content, mode};

#[tokio::test]
async fn files_of_every_size_arrive_whole() {
    let scene = Scene::new();
    for size in [0, 1, 1000, 261_120, 261_121, 5 * 1024 * 1024 + 13] {
        let bytes = content(size);
        let there = scene.plant("there", &bytes, 0o640);
        let (to, mut buffer) = (scene.path("to"), Vec::new());
        let done = scene.get(&there, &*to).await.unwrap().unwrap();
        assert_eq!((done.bytes, done.in_place), (size as u64, false));
        assert!(fs::read(&to).unwrap() == bytes, "{size}");
        assert_eq!(mode(&to), 0o640);
        scene.get(&there, &mut buffer).await.unwrap().unwrap();
        assert!(buffer == bytes, "{size}");
        fs::remove_file(to).unwrap();
    }
    scene.expect_no_leftovers();
    assert_eq!(scene.server.sessions(), 1);
}

#[tokio::test]
async fn a_writer_gets_the_content_as_it_comes() {
    let scene = Scene::new();
    let bytes = content(2_000_000);
    let there = scene.plant("there", &bytes, 0o644);
    let (mut reader, mut writer) = tokio::io::duplex(1000);
    let get = async {
        let done = scene.get(&there, Sink::Writer(&mut writer)).await.unwrap().unwrap();
        writer.shutdown().await.unwrap();
        done
    };
    let mut arrived = Vec::new();
    let (done, read) = tokio::join!(get, reader.read_to_end(&mut arrived));
    read.unwrap();
    assert!(arrived == bytes && done.bytes == 2_000_000);
}

#[tokio::test]
async fn files_whose_size_says_nothing_are_left_to_the_command_unless_sftp_was_asked_for() {
    let (auto, insisting) = (Scene::new(), Scene::with_policy(SFTP_SERVER, Policy::Sftp, LIMIT));
    for path in
        ["/proc/self/status", "/proc/cpuinfo", "/sys/kernel/mm/transparent_hugepage/enabled"]
    {
        let path = Path::new(path);
        if !path.exists() {
            continue;
        }
        let mut buffer = Vec::new();
        assert_eq!(auto.get(path, &mut buffer).await.unwrap(), None, "{path:?}");
        assert!(buffer.is_empty(), "{path:?}");
        let error = insisting.get(path, &mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transfer, "{path:?}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_grows_meanwhile_is_read_to_its_end_of_then() {
    let scene = Scene::new();
    let there = scene.plant("there", content(3_000_000), 0o644);
    let over = Arc::new(AtomicBool::new(false));
    let growing = {
        let (there, over) = (there.clone(), over.clone());
        std::thread::spawn(move || {
            let mut file = fs::File::options().append(true).open(there).unwrap();
            while !over.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        })
    };
    for _ in 0..10 {
        let mut buffer = Vec::new();
        scene.get(&there, &mut buffer).await.unwrap().unwrap();
        assert!(buffer.len() >= 3_000_000);
        let (old, more) = buffer.split_at(3_000_000);
        assert!(old == content(3_000_000) && more.chunks_exact(4).all(|piece| piece == b"more"));
    }
    over.store(true, Ordering::Relaxed);
    growing.join().unwrap();
}

#[tokio::test]
async fn a_file_that_is_cut_off_meanwhile_is_an_error() {
    let scene = Scene::new();
    let there = scene.plant("there", content(20_000_000), 0o644);
    let to = scene.plant("to", "old", 0o644);
    // The writer holds the transfer up once it has begun.
    let (mut reader, mut writer) = tokio::io::duplex(1000);
    let cut = async {
        reader.read_exact(&mut [0; 10]).await.unwrap();
        fs::File::options().write(true).open(&there).unwrap().set_len(100).unwrap();
        tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap();
    };
    let get = async {
        let got = scene.get(&there, Sink::Writer(&mut writer)).await;
        drop(writer);
        got
    };
    let ((), got) = tokio::join!(cut, get);
    assert_eq!(got.unwrap_err().kind(), ErrorKind::Transfer);
    assert_eq!(fs::read(to).unwrap(), b"old");
}

#[tokio::test]
async fn preserve_takes_mode_and_time_back() {
    let scene = Scene::new();
    let there = scene.plant("there", "content", 0o751);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_001);
    fs::File::options().write(true).open(&there).unwrap().set_modified(time).unwrap();
    let options = GetOptions::default().with_preserve(true);
    let to = scene.path("to");
    let mut sink = Sink::from(&*to);
    scene.sftp.get(there.to_str().unwrap(), &mut sink, &options).await.unwrap().unwrap();
    let found = fs::metadata(to).unwrap();
    assert_eq!((found.mode() & 0o7777, found.mtime()), (0o751, 1_000_000_001));
}

#[tokio::test]
async fn what_is_no_file_is_left_to_the_command_and_what_is_missing_is_an_error() {
    let scene = Scene::new();
    fs::create_dir(scene.path("directory")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, scene.path("fifo"), 0o600.into()).unwrap();
    symlink("fifo", scene.path("link")).unwrap();
    let mut buffer = Vec::new();
    for name in ["directory", "fifo", "link"] {
        assert_eq!(scene.get(&scene.path(name), &mut buffer).await.unwrap(), None, "{name}");
    }
    let missing = scene.get(&scene.path("missing"), &mut buffer).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(buffer.is_empty());
}
