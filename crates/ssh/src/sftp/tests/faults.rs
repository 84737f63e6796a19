//! Servers and disks that fail.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use hostlink_core::ErrorKind;
use hostlink_core::transfer::{FileTransfer, PutOptions, Source};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;

use super::{LIMIT, Policy, SFTP_SERVER, Scene, bytes, content, until};

/// Gives some bytes, then waits for ever.
pub(super) fn endless() -> [Source; 2] {
    let reader = || {
        let (reader, mut writer) = tokio::io::duplex(1_000_000);
        tokio::spawn(async move {
            let _ = writer.write_all(&content(700_000)).await;
            std::future::pending::<()>().await;
        });
        reader
    };
    [Source::reader(reader()), Source::sized_reader(reader(), 1 << 40)]
}

#[tokio::test]
async fn dropping_a_put_leaves_the_old_file_and_nothing_else() {
    let scene = Scene::new();
    scene.plant("file", "old", 0o644);
    for source in endless() {
        tokio::select! {
            put = scene.put(source, "file") => panic!("it ended: {put:?}"),
            () = until("a temporary file", || async { !scene.leftovers().is_empty() }) => {}
        }
        scene.sftp.settle().await;
        scene.expect_no_leftovers();
        assert_eq!(fs::read(scene.path("file")).unwrap(), b"old");
    }
}

#[tokio::test]
async fn dropping_a_put_at_any_moment_leaves_the_old_file_or_the_new_one() {
    let scene = Scene::new();
    let bytes = content(3_000_000);
    for micros in (0..40).map(|step| step * step * 20) {
        scene.plant("file", "old", 0o644);
        let put = scene.put(bytes.clone(), "file");
        let _ = tokio::time::timeout(Duration::from_micros(micros), put).await;
        scene.sftp.settle().await;
        scene.expect_no_leftovers();
        let found = fs::read(scene.path("file")).unwrap();
        assert!(found == b"old" || found == bytes, "{micros} µs: {} bytes", found.len());
    }
    assert_eq!(scene.server.sessions(), 1);
}

#[tokio::test]
async fn dropping_a_get_leaves_the_old_file_and_the_session_goes_on() {
    let scene = Scene::new();
    let bytes = content(8_000_000);
    let there = scene.plant("there", &bytes, 0o644);
    for micros in (0..40).map(|step| step * step * 20) {
        let to = scene.plant("to", "old", 0o644);
        let get = scene.get(&there, &*to);
        let _ = tokio::time::timeout(Duration::from_micros(micros), get).await;
        until("the temporary file goes", || async { scene.leftovers().is_empty() }).await;
        let found = fs::read(&to).unwrap();
        assert!(found == b"old" || found == bytes, "{micros} µs: {} bytes", found.len());
    }
    scene.get(&there, &mut Vec::new()).await.unwrap().unwrap();
    assert_eq!(scene.server.sessions(), 1);
    until("the server closes the file", || async { !scene.server.has_open(&there) }).await;
}

#[tokio::test]
async fn close_waits_for_the_clean_up() {
    let scene = Scene::new();
    let [source, _] = endless();
    tokio::select! {
        put = scene.put(source, "file") => panic!("it ended: {put:?}"),
        () = until("a temporary file", || async { !scene.leftovers().is_empty() }) => {}
    }
    scene.sftp.close().await;
    scene.expect_no_leftovers();
    scene.sftp.close().await;
}

#[tokio::test]
async fn a_server_killed_in_a_put_is_an_error_and_the_next_file_has_a_new_one() {
    let scene = Scene::new();
    scene.plant("file", "old", 0o644);
    for (number, source) in endless().into_iter().enumerate() {
        let kill = async {
            until("a temporary file", || async { !scene.leftovers().is_empty() }).await;
            scene.server.kill();
        };
        let (put, ()) = tokio::join!(scene.put(source, "file"), kill);
        assert_eq!(put.unwrap_err().kind(), ErrorKind::LinkLost);
        assert_eq!(fs::read(scene.path("file")).unwrap(), b"old");
        // A new session removed what the old one left.
        scene.expect_no_leftovers();
        assert_eq!(scene.server.sessions(), number + 2);
    }
    scene.put(bytes("new"), "file").await.unwrap().unwrap();
    assert_eq!(fs::read(scene.path("file")).unwrap(), b"new");
}

#[tokio::test]
async fn a_server_killed_at_any_moment_leaves_the_old_file_or_the_new_one() {
    let scene = Scene::new();
    let new = content(1_000_000);
    for micros in (0..30).map(|step| step * step * 10) {
        let name = format!("d{micros}/file");
        fs::create_dir(scene.path(&format!("d{micros}"))).unwrap();
        scene.plant(&name, "old", 0o644);
        until("a session", || async { scene.put(bytes("x"), "first").await.is_ok() }).await;
        let kill = async {
            tokio::time::sleep(Duration::from_micros(micros)).await;
            scene.server.kill();
        };
        let (put, ()) = tokio::join!(scene.put(new.clone(), &name), kill);
        let kind = put.err().map(|error| error.kind());
        assert!([None, Some(ErrorKind::LinkLost)].contains(&kind), "{micros} µs: {kind:?}");
        let found = fs::read(scene.path(&name)).unwrap();
        assert!(found == b"old" && kind.is_some() || found == new, "{micros} µs");
        let there = fs::read_dir(scene.path(&format!("d{micros}"))).unwrap().count();
        assert_eq!(there, 1, "{micros} µs: something is left");
    }
}

#[tokio::test]
async fn a_server_killed_in_a_get_is_an_error_and_the_old_file_stays() {
    let scene = Scene::new();
    let there = scene.plant("there", content(50_000_000), 0o644);
    let to = scene.plant("to", "old", 0o644);
    scene.get(&scene.path("to"), &mut Vec::new()).await.unwrap().unwrap();
    scene.server.signal(Signal::STOP);
    let kill = async {
        tokio::task::yield_now().await;
        scene.server.kill();
    };
    let (got, ()) = tokio::join!(scene.get(&there, &*to), kill);
    assert_eq!(got.unwrap_err().kind(), ErrorKind::LinkLost);
    assert_eq!(fs::read(&to).unwrap(), b"old");
    scene.expect_no_leftovers();
    scene.get(&there, &mut Vec::new()).await.unwrap().unwrap();
    assert_eq!(scene.server.sessions(), 2);
}

#[tokio::test]
async fn closing_lets_go_of_a_server_that_is_stuck() {
    let scene = Scene::new();
    let there = scene.plant("there", "content", 0o644);
    let mut buffer = Vec::new();
    scene.get(&there, &mut buffer).await.unwrap().unwrap();
    scene.server.signal(Signal::STOP);
    let close = async {
        tokio::task::yield_now().await;
        scene.sftp.close().await;
    };
    let (got, ()) = tokio::join!(scene.get(&there, &mut buffer), close);
    let error = got.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error}");
    // It ends as soon as it learns that there is no one any more.
    scene.server.signal(Signal::CONT);
    until("the server ends", || async { scene.server.has_ended() }).await;
}

/// Servers that are none.
const BROKEN: [&str; 6] = [
    "exec /bin/false",
    "exec </dev/null >/dev/null; sleep 0.1",
    "head -c 102400 /dev/zero | tr '\\0' x; exec /usr/lib/openssh/sftp-server",
    "echo Welcome; exec cat",
    "exec cat >/dev/null",
    SILENT,
];

/// Takes everything, and keeps its standard output open.
const SILENT: &str = "cat >/dev/null; :";

#[tokio::test]
async fn a_server_that_is_none_is_found_out_once_and_told() {
    for line in BROKEN {
        let scene = Scene::with_policy(line, Policy::Auto, Duration::from_secs(2));
        for _ in 0..3 {
            let mut source = Source::bytes("new").open().await.unwrap();
            let put = scene.put_source(&mut source, "file", &PutOptions::default()).await;
            assert!(put.unwrap().is_none() && source.reader.is_some(), "{line}");
            let got = scene.get(&scene.path("file"), &mut Vec::new()).await;
            assert_eq!(got.unwrap(), None, "{line}");
        }
        assert_eq!(scene.server.sessions(), 1, "{line}");
        let told = scene.told.lock().unwrap();
        assert!(told.len() == 1 && told[0].starts_with("no SFTP there ("), "{line}: {told:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_none_is_an_error_where_sftp_was_asked_for() {
    for line in BROKEN {
        let scene = Scene::with_policy(line, Policy::Sftp, Duration::from_secs(2));
        let error = scene.put(bytes("new"), "file").await.unwrap_err();
        assert!(error.message().starts_with("SFTP was asked for"), "{line}: {error}");
        assert!(scene.told.lock().unwrap().is_empty(), "{line}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_found_out_though_whoever_asked_has_gone() {
    let scene = Scene::with_policy(SILENT, Policy::Auto, Duration::from_millis(500));
    let put =
        tokio::time::timeout(Duration::from_millis(50), scene.put(bytes("new"), "file")).await;
    assert!(put.is_err());
    let began = Instant::now();
    assert_eq!(scene.put(bytes("new"), "file").await.unwrap(), None);
    assert!(began.elapsed() < LIMIT);
    assert_eq!(scene.server.sessions(), 1);
}

#[tokio::test]
async fn a_file_in_a_missing_directory_is_an_error() {
    let scene = Scene::new();
    let error = scene.put(bytes("new"), "missing/file").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().starts_with("the directory of"), "{error}");
}

#[tokio::test]
async fn a_server_that_only_reads_leaves_puts_to_the_command() {
    let scene = Scene::with(&format!("{SFTP_SERVER} -R"));
    let there = scene.plant("file", "old", 0o644);
    assert_eq!(scene.put(bytes("new"), "file").await.unwrap(), None);
    assert_eq!(scene.put(bytes("new"), "new").await.unwrap(), None);
    scene.get(&there, &mut Vec::new()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_makes_no_files_leaves_puts_to_the_command_unless_sftp_was_asked_for() {
    let line = format!("{SFTP_SERVER} -P open");
    let scene = Scene::with(&line);
    scene.plant("file", "old", 0o644);
    assert_eq!(scene.put(bytes("new"), "file").await.unwrap(), None);
    assert_eq!(scene.put(bytes("new"), "new").await.unwrap(), None);
    let scene = Scene::with_policy(&line, Policy::Sftp, LIMIT);
    let error = scene.put(bytes("new"), "new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
}

/// A file system that ends with the test.
struct Mount(String);

impl Mount {
    /// `None` without the right to mount.
    fn new(arguments: &[&str], at: &str) -> Option<Self> {
        let done = Command::new("mount").args(arguments).arg(at).output().unwrap();
        done.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let done = Command::new("umount").args(["-l", &self.0]).status();
        assert!(done.is_ok_and(|status| status.success()), "{} is still mounted", self.0);
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_the_old_file_stays() {
    let scene = Scene::new();
    fs::create_dir(scene.path("disk")).unwrap();
    let at = scene.path("disk").display().to_string();
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &at) else { return };
    scene.put(bytes("old"), "disk/file").await.unwrap().unwrap();
    for source in [
        Source::bytes(content(5_000_000)),
        Source::reader(std::io::Cursor::new(content(5_000_000))),
    ] {
        let error = scene.put(source, "disk/file").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transfer);
        assert_eq!(error.stderr_tail(), Some("No space left on device"));
        assert_eq!(fs::read(scene.path("disk/file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(scene.path("disk")).unwrap().count(), 1);
    }
    // A slow source does not hide it.
    let [_, endless] = endless();
    let filled = content(900_000);
    scene.put(filled, "disk/filler").await.unwrap().unwrap();
    let error = scene.put(endless, "disk/file").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transfer);
}

#[tokio::test]
async fn a_file_that_is_a_mount_point_is_written_in_place() {
    let scene = Scene::new();
    scene.plant("other", content(900_000), 0o600);
    let file = scene.plant("file", "old", 0o644);
    let other = scene.path("other").display().to_string();
    let Some(mount) = Mount::new(&["--bind", &other], &file.display().to_string()) else { return };
    for bytes in [content(700_000), content(10)] {
        let done = scene.put(bytes.clone(), "file").await.unwrap().unwrap();
        assert!(done.in_place && done.bytes == bytes.len() as u64);
        assert!(fs::read(scene.path("other")).unwrap() == bytes);
        scene.expect_no_leftovers();
    }
    drop(mount);
    assert_eq!(fs::read(file).unwrap(), b"old");
}
