use std::fs;
use std::os::unix::fs::symlink;
use std::time::UNIX_EPOCH;

use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::*;

fn stage() -> (TempDir, Stage) {
    let around = tempfile::tempdir().unwrap();
    let stage = create(&around.path().join("dest"));
    (around, stage)
}

fn create(destination: &Path) -> Stage {
    let options = GetOptions::default().with_preserve(true);
    Stage::create(destination, &options, TaskTracker::new().token()).unwrap()
}

fn number_of_names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

fn store(stage: &mut Stage, path: &str, mode: u32) -> Result<()> {
    let permanent = Permanent { mode, time: UNIX_EPOCH };
    stage.file(Path::new(path), permanent, &mut &b"x"[..], |error| Error::from_io("?", error))
}

#[test]
fn nothing_outside_is_ever_named() {
    let (around, mut stage) = stage();
    for path in ["../x", "/etc/x", "a/../../x", "..", "missing/x"] {
        assert!(store(&mut stage, path, 0o644).is_err(), "{path}");
    }
    stage.symlink(Path::new("link"), Path::new("/"), UNIX_EPOCH).unwrap();
    for path in ["link/x", "link", "."] {
        assert!(store(&mut stage, path, 0o644).is_err(), "{path}");
    }
    for target in ["/etc/passwd", "../x", "link/etc/passwd", "link", "missing"] {
        assert!(stage.hard_link(Path::new("hard"), Path::new(target)).is_err(), "{target}");
    }
    drop(stage);
    assert_eq!(number_of_names(around.path()), 0, "a dropped stage leaves nothing");
}

#[test]
fn an_honest_tree_appears_whole() {
    let (around, mut stage) = stage();
    stage.directory(Path::new("./d"), 0o2555, UNIX_EPOCH).unwrap();
    store(&mut stage, "./d/f", 0o640).unwrap();
    stage.hard_link(Path::new("h"), Path::new("d/f")).unwrap();
    assert!(!around.path().join("dest").exists());
    stage.commit(0o755, UNIX_EPOCH).unwrap();
    let dest = around.path().join("dest");
    assert_eq!(fs::read(dest.join("h")).unwrap(), b"x");
    assert_eq!(crate::contract::files::mode_of(&fs::metadata(dest.join("d")).unwrap()), 0o555);
    assert_eq!(number_of_names(around.path()), 1);
}

#[test]
fn a_tree_is_merged_and_never_through_a_symlink() {
    let (around, mut stage) = stage();
    let dest = around.path().join("dest");
    fs::create_dir_all(dest.join("d")).unwrap();
    fs::write(dest.join("d/old"), "old").unwrap();
    stage.directory(Path::new("d"), 0o755, UNIX_EPOCH).unwrap();
    store(&mut stage, "d/new", 0o644).unwrap();
    stage.commit(0o700, UNIX_EPOCH).unwrap();
    assert_eq!(number_of_names(&dest.join("d")), 2);

    symlink("/", dest.join("way")).unwrap();
    let mut through = create(&dest);
    through.directory(Path::new("way"), 0o755, UNIX_EPOCH).unwrap();
    store(&mut through, "first", 0o644).unwrap();
    assert!(through.commit(0o755, UNIX_EPOCH).is_err());
    assert!(!dest.join("first").exists(), "nothing is moved where something is in the way");
}

#[test]
fn set_id_bits_are_dropped_with_a_warning() {
    let (around, mut stage) = stage();
    for number in 0..30 {
        store(&mut stage, &format!("setuid{number}"), 0o6755).unwrap();
    }
    let warnings = stage.warnings.take();
    assert_eq!(warnings[0], "\"setuid0\" is stored without its set-ID bits");
    assert_eq!((warnings.len(), &*warnings[20]), (21, "10 more entries are left out or changed"));
    stage.commit(0o755, UNIX_EPOCH).unwrap();
    let found = fs::metadata(around.path().join("dest/setuid0")).unwrap();
    assert_eq!(crate::contract::files::mode_of(&found), 0o755);
}
