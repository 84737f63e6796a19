//! Destinations: mounts, a read-only root, a full disk.

use std::fs;

use hostlink::transfer::{GetOptions, Source};
use hostlink::{Error, ErrorKind};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};

use super::{assert_error, connect, get, put_text, puts, random, temporaries};

#[tokio::test]
async fn files_go_wherever_something_is_mounted() {
    let here = tempfile::tempdir().unwrap();
    let bind = format!("--volume={}:/bind", here.path().display());
    let options = ["--tmpfs=/memory", "--volume=/volume", &bind];
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start_with(image, &options);
        let mounts = container.shell("cat /proc/mounts");
        let link = connect(&container).await;
        for place in ["/memory", "/volume", "/bind"] {
            assert!(mounts.contains(&format!(" {place} ")), "the control: {mounts}");
            let (path, content) = (format!("{place}/file"), random(3_000_000));
            link.put_file(content.clone(), &path, &puts()).await.unwrap();
            assert!(get(&link, &path).await == content, "{path}");
            let length = container.shell(&format!("wc -c <{path}; ls -A {place}"));
            assert_eq!(length.trim(), "3000000\nfile", "{path}");
        }
        assert_eq!(fs::metadata(here.path().join("file")).unwrap().len(), 3_000_000);
        fs::remove_file(here.path().join("file")).unwrap();
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn directories_go_to_a_tmpfs_too() {
    let here = tempfile::tempdir().unwrap();
    let (from, back) = (here.path().join("from"), here.path().join("back"));
    fs::create_dir_all(from.join("below")).unwrap();
    let content = random(200_000);
    fs::write(from.join("below/file"), &content).unwrap();
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start_with(image, &["--tmpfs=/memory"]);
        let link = connect(&container).await;
        link.put_dir(&from, "/memory/tree", &puts()).await.unwrap();
        link.get_dir("/memory/tree", &back, &GetOptions::default()).await.unwrap();
        assert!(fs::read(back.join("below/file")).unwrap() == content);
        assert_eq!(container.shell("ls -A /memory; ls /memory/tree"), "tree\nbelow\n");
        fs::remove_dir_all(&back).unwrap();
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_root_that_is_read_only_is_refused_and_its_tmpfs_is_not() {
    for image in [DEBIAN, BUSYBOX] {
        let options = ["--read-only", "--tmpfs=/memory"];
        let container = Container::start_with(image, &options);
        let link = connect(&container).await;
        let before = container.shell("ls -A / /etc; cat /etc/passwd");
        for path in ["/etc/new", "/etc/passwd"] {
            let put = link.put_file(b"new\n".to_vec(), path, &puts()).await;
            let error = put.unwrap_err();
            assert_error(&error, ErrorKind::PermissionDenied, path);
            let tail = error.stderr_tail().unwrap_or_default();
            assert!(tail.contains("Read-only file system"), "{tail}");
        }
        assert_eq!(container.shell("ls -A / /etc; cat /etc/passwd"), before);
        assert!(!put_text(&link, "new\n", "/memory/file", &puts()).await);
        assert_eq!(container.shell("cat /memory/file"), "new\n", "the control");
        assert_eq!(temporaries(&container), "");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_a_mount_is_written_in_place() {
    let container = Container::start(DEBIAN);
    assert!(container.shell("cat /proc/mounts").contains(" /etc/hosts "), "the control");
    let link = connect(&container).await;
    let state = || container.shell("stat -c '%i %u:%g %a' /etc/hosts; ls -A /etc");
    let before = state();
    // Longer than the old one, then shorter: nothing of the old content may stay.
    for text in ["127.0.0.1 localhost\n10.0.0.1 one\n".repeat(100).as_str(), "short\n"] {
        assert!(put_text(&link, text, "/etc/hosts", &puts()).await, "in place");
        assert_eq!(container.shell("cat /etc/hosts"), text);
        assert_eq!(state(), before);
    }
    assert!(!put_text(&link, "x\n", "/etc/hosts2", &puts()).await, "the control");
    assert_eq!(temporaries(&container), "");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_file_whole() {
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start_with(image, &["--tmpfs=/small:size=1m"]);
        let link = connect(&container).await;
        let _ = container.shell("echo old >/small/file");
        let large = random(4 << 20);
        let sources =
            [Source::bytes(large.clone()), Source::reader(std::io::Cursor::new(large.clone()))];
        for source in sources {
            let error = link.put_file(source, "/small/file", &puts()).await.unwrap_err();
            assert_full(&error, "/small/file");
            assert_eq!(container.shell("ls -A /small; cat /small/file"), "file\nold\n");
        }
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("inner"), &large).unwrap();
        let put = link.put_dir(here.path(), "/small/tree", &puts()).await;
        assert_full(&put.unwrap_err(), "/small/tree");
        assert_eq!(container.shell("ls -A /small"), "file\n");
        put_text(&link, "new\n", "/small/file", &puts()).await;
        assert_eq!(container.shell("cat /small/file"), "new\n", "the control");
        link.disconnect().await.unwrap();
    }
}

fn assert_full(error: &Error, path: &str) {
    assert_error(error, ErrorKind::Transfer, path);
    let tail = error.stderr_tail().unwrap_or_default();
    // The latter is GNU tar's message.
    let says = |words: &str| tail.contains(words);
    assert!(says("No space left on device") || says("Wrote only"), "{tail}");
}
