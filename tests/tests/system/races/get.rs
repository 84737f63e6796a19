//! Races about files that are read, and about their destinations on this machine.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use hostlink::transfer::{GetOptions, TEMPORARY_MARK};
use hostlink::{ConnectorArguments, Link};
use rustix::fs::{CWD, Mode, mkfifoat};

use super::{NOBODY, Scene, Step, TRIES};

/// Reads files and directories that another user replaces meanwhile by symlinks out of them.
pub(super) async fn race_of_sources(
    scene: &Scene,
    link: &Link,
    arguments: &ConnectorArguments,
    tries: usize,
) {
    let (race, from) = (scene.path("race"), format!("{}/race/f", scene.there));
    fs::set_permissions(scene.path("victim/secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let options = GetOptions::default().with_arguments(arguments.clone());
    let here = tempfile::tempdir().unwrap();
    let to = here.path().join("to");

    let attack = scene.attack(source);
    for number in 0..tries / 2 {
        if link.get_file(&from, &*to, &options).await.is_ok() {
            let (text, mode) = (fs::read(&to).unwrap(), fs::metadata(&to).unwrap().mode() & 0o777);
            let is_whole = [(&b"theirs"[..], 0o644), (b"secret", 0o600)].contains(&(&text, mode));
            assert!(is_whole, "try {number}: {text:?} {mode:o}");
            fs::remove_file(&to).unwrap();
        }
    }
    attack.end();

    let _ = fs::remove_file(race.join("f"));
    plant_tree(&race.join("f"));
    let attack = scene.attack(source_tree);
    let mut came = 0;
    for number in 0..tries / 2 {
        if link.get_dir(&from, &*to, &options).await.is_ok() {
            came += 1;
            assert!(!has_secret(&to), "try {number}");
            fs::remove_dir_all(&to).unwrap();
        }
    }
    // By paths, each looked at before it is read.
    assert!((0..100_000).any(|_| has_secret(&race.join("f"))), "the control");
    attack.end();
    link.get_dir(&from, &*to, &options).await.unwrap();
    assert_eq!(fs::read(to.join("sub/secret")).unwrap(), b"theirs", "the control; {came} came");
}

/// Makes a tree of the other user's.
fn plant_tree(tree: &Path) {
    fs::create_dir_all(tree.join("sub")).unwrap();
    for name in ["one", "sub/secret", "sub/two"] {
        fs::write(tree.join(name), "theirs").unwrap();
    }
    for name in ["", "sub"] {
        chown(tree.join(name), Some(NOBODY), None).unwrap();
    }
}

/// A file that others may read, and a symlink to one that they may not.
fn source(race: &Path, _victim: &str) {
    let _ = fs::write(race.join("file"), "theirs");
    let _ = fs::rename(race.join("file"), race.join("f"));
    let _ = symlink("../victim/secret", race.join("link"));
    let _ = fs::rename(race.join("link"), race.join("f"));
}

/// A directory and a file in it, and symlinks in the place of each.
fn source_tree(race: &Path, _victim: &str) {
    let sub = race.join("f/sub");
    swap(&sub, "../../victim");
    swap(&sub.join("secret"), "../../../victim/secret");
}

/// Puts a symlink in the place of a path, and takes it away again.
fn swap(path: &Path, target: &str) {
    let aside = path.with_extension("aside");
    let _ = fs::rename(path, &aside);
    let _ = symlink(target, path);
    let _ = fs::remove_file(path);
    let _ = fs::rename(&aside, path);
}

/// Returns whether a regular file of the tree has what is outside of it.
fn has_secret(tree: &Path) -> bool {
    fs::read_dir(tree).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => has_secret(&path),
            Ok(kind) if kind.is_file() => fs::read(path).is_ok_and(|text| text == b"secret"),
            _ => false,
        }
    })
}

/// Reads a file and a directory to a place that another user changes meanwhile.
pub(super) async fn race_of_destinations(scene: &Scene, link: &Link, mode: u32) {
    let (race, from) = (scene.path("race"), scene.path("from"));
    plant_tree(&from);
    let to = race.join("f");
    let options = GetOptions::default();
    let attacks: [(&str, Step); 4] = [
        ("destination", place),
        ("in the destination", below),
        ("temporary", temporary),
        ("temporary, moved away", moved_away),
    ];
    for (name, way) in attacks {
        scene.renew_race(mode);
        let attack = scene.attack(way);
        for number in 0..TRIES / attacks.len() / 2 {
            let file = format!("{}/one", from.display());
            let _ = link.get_file(&file, &*to, &options).await;
            scene.assert_untouched(&format!("get {number}, {name}"));
            let _ = link.get_dir(&from.display().to_string(), &*to, &options).await;
            scene.assert_untouched(&format!("get -r {number}, {name}"));
        }
        attack.end();
        let stolen = fs::read_dir(&race).unwrap().flatten().map(|entry| entry.path());
        let full = stolen.filter(|path| path.is_dir() && path.to_string_lossy().contains("stolen"));
        let full = full.filter(|path| fs::read_dir(path).unwrap().count() > 0);
        assert_eq!(full.count(), 0, "{name}: what is left is empty");
    }
    scene.renew_race(mode);
    let attack = scene.attack(temporary);
    assert!((0..100_000).any(|_| naive_copy_lands_outside(scene)), "the control");
    drop(attack);
    scene.renew_race(mode);
    link.get_dir(&from.display().to_string(), &*to, &options).await.unwrap();
    assert_eq!(fs::read(to.join("sub/two")).unwrap(), b"theirs", "the control");
}

/// Returns whether something lands outside if a directory is filled by paths.
fn naive_copy_lands_outside(scene: &Scene) -> bool {
    let stage = scene.path("race").join(format!(".f{TEMPORARY_MARK}0"));
    let _ = fs::remove_file(&stage).or_else(|_| fs::remove_dir_all(&stage));
    if fs::create_dir(&stage).is_ok() {
        for number in 0..100 {
            let _ = fs::write(stage.join(number.to_string()), "");
        }
    }
    let victim = scene.path("victim");
    let names = fs::read_dir(&victim).unwrap().flatten().map(|entry| entry.path());
    let landed = names.filter(|path| !path.ends_with("secret"));
    landed.map(fs::remove_file).filter(Result::is_ok).count() > 0
}

/// Plants a symlink of the other user's.
fn plant_link(race: &Path, target: &str, path: &Path) {
    plant(race, path, |made| {
        let _ = symlink(target, made);
    });
}

/// Plants a FIFO of the other user's. Root's own would be waited for.
fn plant_fifo(race: &Path, path: &Path) {
    plant(race, path, |made| {
        let _ = mkfifoat(CWD, made, Mode::RUSR | Mode::WUSR);
    });
}

/// Plants what `make` makes elsewhere, so that it is never root's at `path`.
fn plant(race: &Path, path: &Path, make: impl FnOnce(&Path)) {
    let made = race.with_file_name("made");
    make(&made);
    let _ = lchown(&made, Some(NOBODY), Some(NOBODY));
    let _ = fs::rename(&made, path);
}

/// The destination: symlinks to a directory and to a file, a FIFO, a file, a directory, nothing.
fn place(race: &Path, victim: &str) {
    let target = race.join("f");
    plant_link(race, victim, &target);
    plant_link(race, &format!("{victim}/secret"), &target);
    plant_fifo(race, &target);
    plant_link(race, &format!("{victim}/secret"), &target);
    let _ = fs::write(race.join("file"), "theirs");
    let _ = fs::rename(race.join("file"), &target);
    let _ = fs::remove_file(&target);
    let _ = fs::create_dir(&target);
    let _ = fs::rename(&target, race.join("aside"));
    plant_link(race, victim, &target);
    let _ = fs::remove_file(&target);
    let _ = fs::remove_dir_all(race.join("aside"));
}

/// A directory in the destination, which stays.
fn below(race: &Path, victim: &str) {
    let (sub, aside) = (race.join("f/sub"), race.join("aside"));
    let _ = fs::create_dir_all(&sub);
    let _ = fs::rename(&sub, &aside);
    plant_link(race, victim, &sub);
    let _ = fs::remove_file(&sub);
    let _ = fs::rename(&aside, &sub);
}

/// Puts a symlink in the place of what a transfer has just made.
fn temporary(race: &Path, victim: &str) {
    for path in temporaries(race) {
        if fs::rename(&path, stolen(race, &path)).is_ok() {
            plant_link(race, victim, &path);
        }
    }
}

/// Takes away what a transfer has just made, and puts a directory of root's in its place.
fn moved_away(race: &Path, _victim: &str) {
    for path in temporaries(race) {
        if fs::rename(&path, stolen(race, &path)).is_ok() {
            let _ = fs::create_dir(&path);
        }
    }
}

fn temporaries(race: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(race).unwrap().flatten();
    let ours = entries.filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(&format!(".f{TEMPORARY_MARK}"))
            && entry.file_type().is_ok_and(|kind| !kind.is_symlink())
    });
    ours.map(|entry| entry.path()).collect()
}

fn stolen(race: &Path, path: &Path) -> PathBuf {
    let number = fs::symlink_metadata(path).map_or(0, |found| found.ino());
    race.join(format!("stolen{number}{}", path.file_name().unwrap().to_string_lossy()))
}
