//! The command end to end: moving files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hostlink_tests::cli::{code, hostlink, run, run_with_input, stderr, stdout};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// Returns this many bytes without a pattern (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn succeeds(words: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run_with_input(hostlink(words), input);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{words:?}");
    output.stdout
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_arrive_whole() {
    for length in [0, 1, 300_001] {
        let place = Place::new();
        let bytes = noise(length);
        fs::write(place.path("a"), &bytes).unwrap();
        let shown = succeeds(&["@local", "put", &place.text("a"), &place.text("b")], b"");
        assert!(shown.is_empty());
        succeeds(&["@local", "get", &place.text("b"), &place.text("c")], b"");
        assert_eq!(fs::read(place.path("c")).unwrap(), bytes);
        // In both directions through pipes.
        succeeds(&["@local", "put", "-", &place.text("d")], &bytes);
        assert_eq!(fs::read(place.path("d")).unwrap(), bytes);
        assert_eq!(succeeds(&["@local", "get", &place.text("d"), "-"], b""), bytes);
    }
}

#[test]
fn directories_arrive_whole() {
    let place = Place::new();
    let bytes = noise(100_000);
    fs::create_dir_all(place.path("tree/sub/empty")).unwrap();
    fs::write(place.path("tree/sub/it's a file"), &bytes).unwrap();
    symlink("sub", place.path("tree/link")).unwrap();
    succeeds(&["@local", "put", "-r", &place.text("tree"), &place.text("there")], b"");
    succeeds(&["@local", "get", "--recursive", &place.text("there"), &place.text("back")], b"");
    assert_eq!(fs::read(place.path("back/sub/it's a file")).unwrap(), bytes);
    assert!(place.path("back/sub/empty").is_dir());
    assert_eq!(fs::read_link(place.path("back/link")).unwrap(), Path::new("sub"));
}

#[test]
fn modes_are_chosen_or_preserved() {
    let place = Place::new();
    fs::write(place.path("a"), "x").unwrap();
    fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o751)).unwrap();
    let (a, b, c) = (place.text("a"), place.text("b"), place.text("c"));
    succeeds(&["@local", "put", "--mode", "0604", &a, &b], b"");
    assert_eq!(mode(&place.path("b")), 0o604);
    succeeds(&["@local", "put", "--preserve", &a, &b], b"");
    assert_eq!(mode(&place.path("b")), 0o751);
    succeeds(&["@local", "get", "--preserve", &b, &c], b"");
    assert_eq!(mode(&place.path("c")), 0o751);
}

#[test]
fn relative_paths_start_from_chdir() {
    let place = Place::new();
    let directory = place.0.path().to_str().unwrap();
    succeeds(&["--chdir", directory, "@local", "put", "-", "rel"], b"x");
    assert_eq!(succeeds(&["@local", "get", "--chdir", directory, "rel", "-"], b""), b"x");
}

#[test]
fn a_transfer_that_fails_is_1_or_2_and_changes_nothing() {
    let place = Place::new();
    fs::write(place.path("old"), "old").unwrap();
    for (words, status) in [
        (["@local", "put", "/etc/passwd", "/nowhere/x"], 1),
        (["@local", "put", "-", "/usr"], 2),
        (["@local", "get", "/nowhere", &place.text("old")], 1),
        (["@local", "get", "/usr", &place.text("old")], 2),
    ] {
        let output = run(hostlink(words));
        assert_eq!((code(&output), stdout(&output)), (status, String::new()), "{words:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(place.path("old")).unwrap(), "old");
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
}

#[test]
fn verbose_says_how_much_was_moved() {
    let place = Place::new();
    let output = run_with_input(hostlink(["-v", "@local", "put", "-", &place.text("a")]), b"abc");
    assert!(stderr(&output).ends_with("hostlink: @local: 3 bytes\n"), "{}", stderr(&output));
}
