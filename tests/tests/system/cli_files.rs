//! The command end to end: moving files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use hostlink_tests::cli::{code, command, hostlink, run, run_with_input, stderr, stdout};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
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

/// This machine, and a host over SSH that is this machine, too.
fn targets(ssh: &SshTarget) -> [Vec<String>; 2] {
    [vec!["@local".to_owned()], ssh.words()]
}

fn set_mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// Runs the command under another umask than that of the tests.
fn under(umask: &str, target: &[String], words: &[&str]) {
    let line = format!("umask {umask} && exec \"$@\"");
    let mut shell: Command = command(Path::new("sh"), ["-c", &line, "sh"]);
    shell.arg(hostlink_tests::binary()).args(target).args(words);
    let output = run(shell);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{words:?}");
}

#[test]
fn what_is_fetched_has_its_modes_less_the_umask_unless_they_are_preserved() {
    let (place, ssh) = (Place::new(), SshTarget::start(Sshd::builder()));
    fs::create_dir_all(place.path("tree/sub")).unwrap();
    fs::write(place.path("tree/sub/file"), "x").unwrap();
    for (name, bits) in [("tree", 0o777), ("tree/sub", 0o777), ("tree/sub/file", 0o666)] {
        set_mode(&place.path(name), bits);
    }
    for (umask, flags, directory, file) in [
        ("077", &[][..], 0o700, 0o600),
        ("027", &[], 0o750, 0o640),
        ("000", &[], 0o777, 0o666),
        ("077", &["--preserve"], 0o777, 0o666),
    ] {
        for (target, verb) in
            targets(&ssh).into_iter().zip(["get", "get"]).chain([(vec!["@local".into()], "put")])
        {
            let (from, to) = (place.text("tree"), place.text("copy"));
            under(umask, &target, &[&[verb, "-r"], flags, &[&from, &to]].concat());
            for (name, bits) in [("copy", directory), ("copy/sub", directory)] {
                assert_eq!(mode(&place.path(name)), bits, "{verb} {umask} {name} {target:?}");
            }
            assert_eq!(mode(&place.path("copy/sub/file")), file, "{verb} {umask} {target:?}");
            let from = place.text("tree/sub/file");
            under(umask, &target, &[&[verb], flags, &[&from, &place.text("one")]].concat());
            assert_eq!(mode(&place.path("one")), file, "{verb} {umask} {target:?}");
            fs::remove_dir_all(place.path("copy")).unwrap();
            fs::remove_file(place.path("one")).unwrap();
        }
    }
}

#[test]
fn what_is_no_file_is_left_out_with_a_warning_and_set_id_bits_too() {
    let (place, ssh) = (Place::new(), SshTarget::start(Sshd::builder()));
    fs::create_dir(place.path("tree")).unwrap();
    for name in ["plain", "setuid"] {
        fs::write(place.path("tree").join(name), name).unwrap();
    }
    set_mode(&place.path("tree/setuid"), 0o6755);
    let made = Command::new("mkfifo").arg(place.path("tree/pipe")).status().unwrap();
    assert!(made.success());
    for target in targets(&ssh) {
        let words = ["get", "-r", &place.text("tree"), &place.text("copy")].map(str::to_owned);
        let output = run(hostlink(target.into_iter().chain(words)));
        let warnings = stderr(&output);
        assert_eq!((code(&output), warnings.lines().count()), (0, 2), "{warnings}");
        assert!(warnings.contains("pipe\" is no file and is left out"), "{warnings}");
        assert!(warnings.contains("setuid\" is stored without its set-ID bits"), "{warnings}");
        assert_eq!(mode(&place.path("copy/setuid")), 0o755);
        let mut names: Vec<_> =
            fs::read_dir(place.path("copy")).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["plain", "setuid"]);
        fs::remove_dir_all(place.path("copy")).unwrap();
    }
}

#[test]
fn of_a_log_that_grows_what_was_there_is_sent() {
    let (place, ssh) = (Place::new(), SshTarget::start(Sshd::builder()));
    let (log, copy) = (place.path("log"), place.path("copy"));
    fs::write(&log, vec![b'x'; 1 << 20]).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(&log).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                file.write_all(&[b'x'; 4096]).unwrap();
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
        });
        let tried = std::panic::catch_unwind(|| {
            for target in targets(&ssh).iter().cycle().take(6) {
                let before = fs::metadata(&log).unwrap().len();
                let words = ["put", &place.text("log"), &place.text("copy")].map(str::to_owned);
                let output = run(hostlink(target.iter().cloned().chain(words)));
                assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{target:?}");
                let sent = fs::metadata(&copy).unwrap().len();
                let after = fs::metadata(&log).unwrap().len();
                assert!((before..after).contains(&sent), "{before} {sent} {after}");
            }
        });
        is_over.store(true, Ordering::Relaxed);
        tried.unwrap();
    });
}

#[test]
fn the_file_that_stands_for_standard_output_is_standard_output() {
    let place = Place::new();
    fs::write(place.path("a"), "text").unwrap();
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(succeeds(&["@local", "get", &place.text("a"), name], b""), b"text", "{name}");
    }
    // No file can be made there: the error is about the path that was given.
    let output = run(hostlink(["@local", "get", &place.text("a"), "/proc/new"]));
    let line = stderr(&output);
    assert_eq!(code(&output), 1, "{line}");
    assert!(line.contains("cannot write /proc/new: ") && !line.contains(".hostlink-"), "{line}");
}
