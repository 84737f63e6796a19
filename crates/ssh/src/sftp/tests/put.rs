//! Files to the server.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hostlink_core::transfer::{
    FileTransfer, PutOptions, Route, Source, TEMPORARY_MARK, Transferred,
};
use hostlink_core::{ConnectorArguments, ErrorKind};

use super::{SFTP_SERVER, Scene, bytes, content, mode};

const SIZES: [usize; 6] = [0, 1, 1000, 261_120, 261_121, 5 * 1024 * 1024 + 13];

#[tokio::test]
async fn files_of_every_size_arrive_whole_on_one_session() {
    let scene = Scene::new();
    for size in SIZES {
        let bytes = content(size);
        let here = scene.plant("here", &bytes, 0o644);
        let reader = || std::io::Cursor::new(bytes.clone());
        for (name, source) in [
            ("a", Source::bytes(bytes.clone())),
            ("b", Source::reader(reader())),
            ("c", Source::sized_reader(reader(), size as u64)),
            ("d", Source::path(&here)),
        ] {
            let done = scene.put(source, name).await.unwrap();
            let wanted = Transferred { bytes: size as u64, in_place: false, route: Route::Sftp };
            assert_eq!(done, Some(wanted), "{size}, {name}");
            assert!(fs::read(scene.path(name)).unwrap() == bytes, "{size}, {name}");
            assert!(!scene.server.has_open(&scene.path(name)), "{size}, {name}");
        }
    }
    scene.expect_no_leftovers();
    assert_eq!(scene.server.sessions(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_limits_gets_small_requests() {
    let scene = Scene::with(&format!("{SFTP_SERVER} -P limits"));
    let bytes = content(3_000_000);
    scene.put(bytes.clone(), "file").await.unwrap().unwrap();
    let mut buffer = Vec::new();
    scene.get(&scene.path("file"), &mut buffer).await.unwrap().unwrap();
    assert!(buffer == bytes);
}

#[tokio::test]
async fn a_server_that_does_not_rename_over_files_leaves_puts_to_the_command() {
    let scene = Scene::with(&format!("{SFTP_SERVER} -P posix-rename"));
    assert_eq!(scene.put(bytes("new"), "file").await.unwrap(), None);
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_in_a_directory_that_its_owner_alone_can_enter() {
    let scene = Scene::with(&format!("{SFTP_SERVER} -u 0"));
    let [source, _] = super::faults::endless();
    let filled = || async {
        let hidden = scene.leftovers().into_iter().map(|name| scene.path(&name).join("file"));
        hidden.into_iter().any(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0))
    };
    tokio::select! {
        put = scene.put(source, "file") => panic!("it ended: {put:?}"),
        () = super::until("the file is filled", filled) => {}
    }
    // It was dropped, and is not removed before this has run.
    let hidden = scene.leftovers();
    let ours = format!(".file{TEMPORARY_MARK}");
    assert!(hidden.len() == 1 && hidden[0].starts_with(&ours), "{hidden:?}");
    assert_eq!(mode(&scene.path(&hidden[0])), 0o700);
    scene.sftp.settle().await;
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn a_server_that_makes_no_private_directories_leaves_puts_to_the_command() {
    // Mode and type are the four bytes before the times, in attributes.
    let scene = Scene::new();
    scene.server.lies(|packet| {
        let mut packet = packet.to_vec();
        if packet[0] == 105 && packet[27] & 0xf0 == 0x40 {
            packet[28] |= 0o055;
        }
        packet
    });
    assert_eq!(scene.put(bytes("new"), "file").await.unwrap(), None);
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn many_files_at_once_share_one_session() {
    let scene = Scene::new();
    let bytes = content(300_000);
    let puts = (0..50).map(|number| {
        let (scene, bytes) = (&scene, bytes.clone());
        async move { scene.put(bytes, &format!("file{number}")).await }
    });
    for done in futures::future::join_all(puts).await {
        assert_eq!(done.unwrap().unwrap().bytes, 300_000);
    }
    assert_eq!(fs::read_dir(scene.directory.path()).unwrap().count(), 50);
    assert_eq!(scene.server.sessions(), 1);
}

#[tokio::test]
async fn a_source_that_is_shorter_or_longer_than_announced_is_an_error() {
    let scene = Scene::new();
    scene.plant("file", "old", 0o644);
    for (length, announced) in [(0, 1), (5, 4), (5, 6), (300_000, 299_999), (300_000, 300_001)] {
        let reader = std::io::Cursor::new(content(length));
        let put = scene.put(Source::sized_reader(reader, announced), "file").await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Transfer, "{length}, {announced}");
        assert_eq!(fs::read(scene.path("file")).unwrap(), b"old");
        scene.expect_no_leftovers();
    }
}

#[tokio::test]
async fn an_existing_file_keeps_its_mode() {
    let scene = Scene::new();
    for bits in [0o640, 0o400, 0o4755] {
        scene.plant("file", "old", bits);
        scene.put(content(10), "file").await.unwrap().unwrap();
        assert_eq!(mode(&scene.path("file")), bits);
        assert_eq!(fs::read(scene.path("file")).unwrap(), content(10));
    }
}

#[tokio::test]
async fn somebody_elses_file_is_left_to_the_command_with_the_source_untouched() {
    let scene = Scene::new();
    let path = scene.plant("file", "old", 0o644);
    // Only root may give a file away.
    if chown(&path, Some(12345), None).is_err() {
        return;
    }
    let mut source = Source::bytes("new").open().await.unwrap();
    let done = scene.put_source(&mut source, "file", &PutOptions::default()).await.unwrap();
    assert!(done.is_none() && source.reader.is_some());
    assert_eq!(fs::read(path).unwrap(), b"old");
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn a_new_file_has_the_bits_of_its_source_less_the_umask() {
    let scene = Scene::with(&format!("{SFTP_SERVER} -u 027"));
    for (bits, wanted) in [(0o777, 0o750), (0o666, 0o640), (0o604, 0o600), (0o4755, 0o750)] {
        let here = scene.plant("here", "content", bits);
        scene.put(&*here, "new").await.unwrap().unwrap();
        assert_eq!(mode(&scene.path("new")), wanted, "{bits:o}");
        fs::remove_file(scene.path("new")).unwrap();
        fs::remove_file(here).unwrap();
    }
    scene.put(content(10), "bytes").await.unwrap().unwrap();
    assert_eq!(mode(&scene.path("bytes")), 0o640);
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn a_mode_that_is_asked_for_is_set_whatever_the_umask() {
    let scene = Scene::with(&format!("{SFTP_SERVER} -u 027"));
    for bits in [0o600, 0o666, 0o4755, 0o444, 0] {
        let options = PutOptions::default().with_mode(bits);
        scene.put_with(content(10), "file", &options).await.unwrap().unwrap();
        assert_eq!(mode(&scene.path("file")), bits);
    }
}

#[tokio::test]
async fn preserve_takes_mode_and_time() {
    let scene = Scene::new();
    let here = scene.plant("here", "content", 0o751);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_001);
    fs::File::options().write(true).open(&here).unwrap().set_modified(time).unwrap();
    let options = PutOptions::default().with_preserve(true);
    for name in ["new", "new"] {
        scene.put_with(&*here, name, &options).await.unwrap().unwrap();
        let found = fs::metadata(scene.path(name)).unwrap();
        assert_eq!((found.mode() & 0o7777, found.mtime()), (0o751, 1_000_000_001));
    }
    // Before 1970 is no time of SFTP.
    let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    fs::File::options().write(true).open(&here).unwrap().set_modified(early).unwrap();
    assert_eq!(scene.put_with(&*here, "new", &options).await.unwrap(), None);
}

#[tokio::test]
async fn a_symlink_is_replaced_when_it_is_not_to_be_followed() {
    let scene = Scene::new();
    scene.plant("target", "old", 0o600);
    fs::create_dir(scene.path("d")).unwrap();
    let options = PutOptions { follow: Some(false), ..PutOptions::default() };
    for target in ["target", "missing", "d"] {
        symlink(target, scene.path("link")).unwrap();
        scene.put_with(content(10), "link", &options).await.unwrap().unwrap();
        assert!(!scene.path("link").is_symlink(), "{target}");
        assert_eq!(fs::read(scene.path("link")).unwrap(), content(10));
        assert_eq!(fs::read(scene.path("target")).unwrap(), b"old");
        fs::remove_file(scene.path("link")).unwrap();
    }
    fs::remove_dir(scene.path("d")).unwrap();
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn what_a_command_does_better_is_left_to_it() {
    let scene = Scene::new();
    fs::create_dir(scene.path("directory")).unwrap();
    symlink("directory", scene.path("link")).unwrap();
    symlink("circle", scene.path("circle")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, scene.path("fifo"), 0o600.into()).unwrap();
    symlink("missing", scene.path("loose")).unwrap();
    for name in ["directory", "link", "circle", "loose", "fifo"] {
        let mut source = Source::bytes("new").open().await.unwrap();
        let done = scene.put_source(&mut source, name, &PutOptions::default()).await.unwrap();
        assert!(done.is_none() && source.reader.is_some(), "{name}");
    }
    let elsewhere = [
        PutOptions { remote_temp_filename: Some("x".into()), ..PutOptions::default() },
        PutOptions::default().with_arguments(ConnectorArguments::new().with_temp_dir("/tmp")),
        PutOptions::default().with_arguments(ConnectorArguments::new().with_sudo(true)),
    ];
    for options in elsewhere {
        assert_eq!(scene.put_with(bytes("new"), "file", &options).await.unwrap(), None);
    }
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn names_of_every_kind_are_taken_as_they_are() {
    let scene = Scene::new();
    let long = "x".repeat(255);
    for name in ["-rf", "a b", "a\nb", "*", "~", "$HOME", "'\"\\", "ümlaut", &long] {
        scene.put(name.as_bytes().to_vec(), name).await.unwrap().unwrap();
        assert_eq!(fs::read(scene.path(name)).unwrap(), name.as_bytes());
    }
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn relative_paths_begin_where_the_server_does() {
    let scene = Scene::new();
    scene.server.becomes(&format!("cd {} && {SFTP_SERVER}", scene.directory.path().display()));
    let mut source = Source::bytes("new").open().await.unwrap();
    scene.sftp.put(&mut source, "./file", &PutOptions::default()).await.unwrap().unwrap();
    assert_eq!(fs::read(scene.path("file")).unwrap(), b"new");
}

#[tokio::test]
async fn a_name_that_becomes_a_symlink_meanwhile_leads_nowhere() {
    let scene = Scene::new();
    let victim = scene.plant("victim", "victim", 0o600);
    let (file, aside) = (scene.plant("file", "old", 0o644), scene.path("aside"));
    let (ended, mut written) = (Arc::new(AtomicBool::new(false)), 0);
    let swapping = std::thread::spawn({
        let (ended, victim) = (ended.clone(), victim.clone());
        // A directory there cannot be replaced by a rename. Each step may fail after a put.
        move || {
            while !ended.load(Ordering::Relaxed) {
                let _ = fs::rename(&file, &aside);
                let _ = fs::create_dir(&file);
                std::thread::sleep(Duration::from_micros(300));
                let _ = fs::remove_dir(&file);
                let _ = symlink(&victim, &file);
                std::thread::sleep(Duration::from_micros(300));
                let _ = fs::remove_file(&file);
                let _ = fs::rename(&aside, &file);
                std::thread::sleep(Duration::from_micros(300));
            }
        }
    });
    let options = PutOptions::default().with_follow(false);
    for number in 0..200 {
        let put = scene.put_with(bytes(&format!("new {number}")), "file", &options).await;
        written += usize::from(put.is_ok_and(|done| done.is_some()));
        assert_eq!(fs::read(&victim).unwrap(), b"victim", "try {number}");
    }
    ended.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(written > 0, "the control");
    scene.expect_no_leftovers();
}
