//! A hostile target: what it sends must not reach beyond the destination directory.
//!
//! Its `tar` prints an archive of the test's.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not what they call"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use hostlink_core::transfer::GetOptions;
use hostlink_core::{Context, Error, ErrorKind, Link};
use hostlink_testkit::SpawnOnly;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// Builds an archive that `tar` would not make: paths and links are written unchanged.
struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, path: &str, link: &str, mode: u32) -> Self {
        let content: &[u8] = if kind == EntryType::Regular { b"planted" } else { b"" };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        let gnu = header.as_gnu_mut().expect("the header was made as GNU's");
        gnu.name[..path.len()].copy_from_slice(path.as_bytes());
        gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).expect("writing to a vector cannot fail");
        self
    }

    fn file(self, path: &str) -> Self {
        self.entry(EntryType::Regular, path, "", 0o644)
    }

    fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        self.entry(kind, path, target, 0o777)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("writing to a vector cannot fail")
    }
}

/// A directory with a destination's parent, a sibling of it, and an archive.
struct Scene {
    root: TempDir,
    link: Link,
}

impl Scene {
    /// Returns a target whose `tar` prints `archive`, whatever its arguments are.
    fn new(archive: Archive) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("parent")).unwrap();
        fs::write(root.path().join("outside"), "old").unwrap();
        let file = root.path().join("archive");
        fs::write(&file, archive.bytes()).unwrap();
        let connection = SpawnOnly::without(&["tar"]).unwrap();
        let tar = connection.programs().join("tar");
        fs::write(&tar, format!("#!/bin/sh\nexec cat {}\n", file.display())).unwrap();
        fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
        Self { root, link: Link::new(Box::new(connection), "hostile", Context::default()) }
    }

    async fn get(&self) -> Result<(), Error> {
        let to = self.destination();
        self.link.get_dir("/etc", to, &GetOptions::default()).await.map(|_| ())
    }

    fn destination(&self) -> std::path::PathBuf {
        self.root.path().join("parent/new")
    }

    /// Returns everything below the root, for comparing.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(self.root.path(), &mut names);
        names.sort();
        names
    }
}

fn list(directory: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.display().to_string());
        if path.is_dir() && !path.is_symlink() {
            list(&path, names);
        }
    }
}

async fn expect_refusal(archive: Archive) {
    let scene = Scene::new(archive);
    let before = scene.names();
    let error = scene.get().await.expect_err("it was accepted");
    assert_eq!(error.kind(), ErrorKind::Transfer, "{error:?}");
    assert!(error.to_string().contains("is refused"), "{error}");
    assert_eq!(scene.names(), before, "something was made");
    assert_eq!(fs::read(scene.root.path().join("outside")).unwrap(), b"old");
}

#[tokio::test]
async fn an_honest_archive_is_taken() {
    let archive = Archive::new()
        .entry(EntryType::Directory, "./", "", 0o755)
        .file("./file")
        .entry(EntryType::Directory, "./sub/", "", 0o750)
        .file("sub/file")
        .link(EntryType::Link, "hard", "file")
        .link(EntryType::Symlink, "soft", "../outside");
    let scene = Scene::new(archive);
    scene.get().await.unwrap();
    let to = scene.destination();
    assert_eq!(fs::read(to.join("sub/file")).unwrap(), b"planted");
    assert_eq!(fs::metadata(to.join("hard")).unwrap().nlink(), 2);
    assert_eq!(fs::read_link(to.join("soft")).unwrap(), Path::new("../outside"));
}

#[tokio::test]
async fn a_path_that_leads_out_is_refused() {
    for path in ["../x", "../../outside", "sub/../../x", "./../x"] {
        let sub = Archive::new().entry(EntryType::Directory, "sub", "", 0o755);
        expect_refusal(sub.file(path)).await;
    }
}

#[tokio::test]
async fn an_absolute_path_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x");
    expect_refusal(Archive::new().file(path.to_str().unwrap())).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_through_a_symlink_is_refused() {
    for target in ["..", "/tmp", "."] {
        let link = Archive::new().link(EntryType::Symlink, "link", target);
        expect_refusal(link.file("link/x")).await;
    }
}

#[tokio::test]
async fn a_file_instead_of_a_symlink_is_refused() {
    let link = Archive::new().link(EntryType::Symlink, "link", "../../outside");
    expect_refusal(link.file("link")).await;
}

#[tokio::test]
async fn a_directory_instead_of_a_symlink_is_refused() {
    let link = Archive::new().link(EntryType::Symlink, "link", "..");
    expect_refusal(link.entry(EntryType::Directory, "link", "", 0o755).file("link/x")).await;
}

#[tokio::test]
async fn a_hard_link_to_what_is_outside_is_refused() {
    for target in ["../../outside", "/etc/passwd"] {
        expect_refusal(Archive::new().link(EntryType::Link, "hard", target)).await;
    }
    // Also through a symlink of the archive.
    let soft = Archive::new().link(EntryType::Symlink, "soft", "../../outside");
    expect_refusal(soft.link(EntryType::Link, "hard", "soft").file("hard")).await;
}

#[tokio::test]
async fn devices_and_pipes_are_left_out() {
    let mut archive = Archive::new().file("file");
    for (kind, name) in [(EntryType::Char, "c"), (EntryType::Block, "b"), (EntryType::Fifo, "p")] {
        archive = archive.entry(kind, name, "", 0o666);
    }
    let scene = Scene::new(archive);
    scene.get().await.unwrap();
    let names = fs::read_dir(scene.destination()).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["file"]);
}

/// Sparse files need no bytes in transit, and would fill the disk here.
#[tokio::test]
async fn sparse_files_are_refused() {
    expect_refusal(Archive::new().entry(EntryType::GNUSparse, "holes", "", 0o644)).await;
}

/// A name of 1 GiB would be read into memory.
#[tokio::test]
async fn names_without_end_are_refused() {
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let mut archive = Archive::new();
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(1 << 30);
        header.set_cksum();
        archive.0.append(&header, &b""[..]).unwrap();
        expect_refusal(archive).await;
    }
}

/// The control for the two tests above: names that are merely long are accepted, in both encodings.
#[tokio::test]
async fn long_names_are_taken() {
    let name = "long/".repeat(40) + "name";
    let mut archive = Archive::new();
    for (depth, _) in name.match_indices('/') {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        archive.0.append_data(&mut header, &name[..depth], &b""[..]).unwrap();
    }
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(1);
    archive.0.append_data(&mut header, &name, &b"x"[..]).unwrap();
    archive.0.append_pax_extensions([("path", &b"by-pax"[..])]).unwrap();
    let scene = Scene::new(archive.file("short"));
    scene.get().await.unwrap();
    assert_eq!(fs::read(scene.destination().join(name)).unwrap(), b"x");
    assert_eq!(fs::read(scene.destination().join("by-pax")).unwrap(), b"planted");
}

#[tokio::test]
async fn set_id_bits_of_files_are_dropped() {
    for mode in [0o4755, 0o2755, 0o6755] {
        let scene = Scene::new(Archive::new().entry(EntryType::Regular, "file", "", mode));
        scene.get().await.unwrap();
        let found = fs::metadata(scene.destination().join("file")).unwrap();
        assert_eq!(found.mode() & 0o7777, 0o755);
    }
}

#[tokio::test]
async fn what_is_refused_comes_after_what_is_not_and_still_nothing_appears() {
    let mut archive = Archive::new();
    for number in 0..500 {
        archive = archive.file(&format!("file{number}"));
    }
    expect_refusal(archive.file("../x")).await;
}

#[tokio::test]
async fn set_id_bits_of_directories_are_dropped() {
    let archive = Archive::new().entry(EntryType::Directory, "sub", "", 0o6755);
    let scene = Scene::new(archive);
    scene.get().await.unwrap();
    let mode = fs::metadata(scene.destination().join("sub")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[tokio::test]
async fn noise_instead_of_an_archive_leaves_nothing() {
    for noise in [&b"not an archive at all, but longer than one block of one".repeat(40)[..], b"x"]
    {
        let scene = Scene::new(Archive::new());
        fs::write(scene.root.path().join("archive"), noise).unwrap();
        let before = scene.names();
        assert!(scene.get().await.is_err());
        assert_eq!(scene.names(), before);
    }
}

#[tokio::test]
async fn an_archive_that_is_cut_off_leaves_nothing() {
    let whole = Archive::new().file("a").file("b").bytes();
    for length in [100, 512, 600, 1100, 1536] {
        let scene = Scene::new(Archive::new());
        fs::write(scene.root.path().join("archive"), &whole[..length]).unwrap();
        let before = scene.names();
        assert!(scene.get().await.is_err(), "{length} bytes were accepted as complete");
        assert_eq!(scene.names(), before, "{length}");
    }
}
