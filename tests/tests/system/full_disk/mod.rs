//! A disk that is full, and a name that is too long: the error says so, and names the path.

mod on_this_machine;
mod with_docker;

use std::fs;
use std::path::{Path, PathBuf};

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{Error, Link};
use hostlink_tests::keeper::Keeper;

/// More than the disk has.
const LARGE: usize = 2 << 20;

/// A file system of 1 MiB, which is gone when this value is dropped.
struct FullDisk {
    keeper: Keeper,
}

impl FullDisk {
    fn new() -> Self {
        let mut keeper = Keeper::start();
        let path = keeper.dir().join("full").display().to_string();
        let made = keeper.make(
            &format!("mkdir {path}; mount -t tmpfs -o size=1m tmpfs {path} && mkdir {path}/dir"),
            &format!("if mountpoint -q {path}; then umount --lazy {path}; fi"),
        );
        assert!(made, "{}", keeper.log());
        Self { keeper }
    }

    /// A directory on it.
    fn path(&self) -> PathBuf {
        self.keeper.dir().join("full/dir")
    }
}

/// Makes a directory that the disk has no room for.
fn large_tree(path: &Path) {
    fs::create_dir_all(path.join("sub")).unwrap();
    for number in 0..4 {
        fs::write(path.join(format!("sub/{number}")), vec![b'x'; LARGE / 4]).unwrap();
    }
    fs::write(path.join("file"), vec![b'x'; LARGE]).unwrap();
    fs::write(path.join("small"), "x").unwrap();
}

fn assert_told(error: &Error, path: &str, cause: &str) {
    let text = error.to_string();
    assert!(text.contains(path) && text.contains(cause), "{text}");
    assert!(!text.contains("roken pipe") && !text.contains("previous errors"), "{text}");
}

/// Puts more to `there` than its disk has room for.
async fn put_too_much(link: &Link, there: &str) {
    let tree = tempfile::tempdir().unwrap();
    large_tree(tree.path());
    let (to, options) = (format!("{there}/new"), PutOptions::default());
    let error = link.put_dir(tree.path(), &to, &options).await.unwrap_err();
    assert_told(&error, &to, "No space left on device");
    let error = link.put_file(Source::bytes(vec![0; LARGE]), &to, &options).await.unwrap_err();
    assert_told(&error, &to, "No space left on device");
}

/// Puts to a full disk, `there` on the target.
async fn put_to(link: &Link, there: &str) {
    put_too_much(link, there).await;
    let options = PutOptions::default();
    let (empty, to) = (tempfile::tempdir().unwrap(), format!("{there}/{}", "n".repeat(256)));
    let error = link.put_dir(empty.path(), &to, &options).await.unwrap_err();
    assert_told(&error, &to, "ame too long");
    let error = link.put_file(Source::bytes("x"), &to, &options).await.unwrap_err();
    assert_told(&error, &to, "ame too long");
}

/// Gets the directory `from` of the target, which is a large tree, to a full disk of this machine.
async fn get_from(link: &Link, from: &str) {
    let (disk, options) = (FullDisk::new(), GetOptions::default());
    let (to, file) = (disk.path().join("new"), format!("{from}/file"));
    let error = link.get_dir(from, &*to, &options).await.unwrap_err();
    assert_told(&error, to.to_str().unwrap(), "No space left on device");
    let error = link.get_file(&file, &*to, &options).await.unwrap_err();
    assert_told(&error, to.to_str().unwrap(), "No space left on device");
    let to = disk.path().join("n".repeat(256));
    let error = link.get_dir(from, &*to, &options).await.unwrap_err();
    assert_told(&error, to.to_str().unwrap(), "ame too long");
    let error = link.get_file(&format!("{from}/small"), &*to, &options).await.unwrap_err();
    assert_told(&error, to.to_str().unwrap(), "ame too long");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0, "nothing is left");
}
