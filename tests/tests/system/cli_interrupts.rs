//! The command end to end: transfers that are interrupted leave nothing, here or there.

use std::fs;
use std::path::Path;
use std::process::Child;

use hostlink_tests::cli::{becomes_true, code, hostlink, send_signal, stderr};

const FILES: usize = 2_000;
const TRIES: usize = 12;

/// A directory with many files: to remove it takes a while, too.
fn large_tree(path: &Path) {
    fs::create_dir(path).unwrap();
    for number in 0..FILES {
        fs::write(path.join(number.to_string()), "x").unwrap();
    }
}

/// The number of files in the hidden directory in `around`, if there is one.
fn hidden_files(around: &Path) -> Option<usize> {
    let names = fs::read_dir(around).unwrap().flatten();
    let mut hidden = names.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
    Some(fs::read_dir(hidden.next()?.path()).map_or(0, Iterator::count))
}

/// Interrupts a transfer into `around` once this many files are there. False if it was over before.
fn interrupt(mut child: Child, around: &Path, signal: (&str, i32), files: usize) -> bool {
    let mut is_over = false;
    let came = becomes_true(|| {
        is_over = child.try_wait().unwrap().is_some();
        is_over || hidden_files(around).is_some_and(|there| there >= files)
    });
    assert!(came, "{files} files arrive");
    if !is_over {
        send_signal(&child, signal.0);
    }
    let output = child.wait_with_output().unwrap();
    let status = code(&output);
    assert!(status == 0 || status == signal.1, "{status}: {}", stderr(&output));
    assert_eq!(hidden_files(around), None, "{signal:?} after {files} files; {}", stderr(&output));
    status != 0
}

#[test]
fn an_interrupted_copy_of_a_directory_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    large_tree(&tree);
    let tree = tree.to_str().unwrap();
    for verb in ["get", "put"] {
        let around = directory.path().join(verb);
        fs::create_dir(&around).unwrap();
        let copy = around.join("copy");
        let signals = [("INT", 130), ("TERM", 143), ("HUP", 129)].into_iter().cycle();
        let interrupted = (0..TRIES).zip(signals).filter(|(number, signal)| {
            let words = ["@local", verb, "-r", tree, copy.to_str().unwrap()];
            let child = hostlink(words).spawn().unwrap();
            let was = interrupt(child, &around, *signal, number * FILES / TRIES / 2);
            if !was {
                fs::remove_dir_all(&copy).unwrap();
            }
            was
        });
        // The control: the signals came while files were arriving.
        assert!(interrupted.count() >= TRIES / 2, "{verb}");
        assert_eq!(fs::read_dir(&around).unwrap().count(), 0, "{verb}");
    }
}
