//! The command end to end: transfers that are interrupted leave nothing, here or there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use hostlink_tests::chroot::Root;
use hostlink_tests::cli::{becomes_true, code, hostlink, send_signal, stderr};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;

/// The parts of what is copied: the files of a directory, or the blocks of a file.
const PARTS: usize = 2_000;
const BLOCK: usize = 32 * 1024;
const TRIES: usize = 12;

/// Where a try takes longer.
const FEW_TRIES: usize = 6;

/// Makes a directory with many files: to remove it takes a while, too.
fn large_tree(path: &Path) {
    fs::create_dir(path).unwrap();
    for number in 0..PARTS {
        fs::write(path.join(number.to_string()), "x").unwrap();
    }
}

/// The number of parts in the hidden file or directory in `around`, if there is one.
fn hidden_parts(around: &Path) -> Option<usize> {
    let names = fs::read_dir(around).unwrap().flatten();
    let mut hidden = names.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
    let path = hidden.next()?.path();
    let blocks = |path: &Path| fs::metadata(path).map_or(0, |data| data.len() as usize / BLOCK);
    // SFTP has the hidden file in a hidden directory.
    let all = |files: fs::ReadDir| files.flatten().map(|file| 1 + blocks(&file.path())).sum();
    Some(fs::read_dir(&path).map_or_else(|_| blocks(&path), all))
}

/// Interrupts a transfer into `around` once this many parts are there. False if it was over before.
fn interrupt(mut child: Child, around: &Path, signal: (&str, i32), parts: usize) -> bool {
    let mut is_over = false;
    let came = becomes_true(|| {
        is_over = child.try_wait().unwrap().is_some();
        is_over || hidden_parts(around).is_some_and(|there| there >= parts)
    });
    assert!(came, "{parts} parts arrive");
    if !is_over {
        send_signal(&child, signal.0);
    }
    let output = child.wait_with_output().unwrap();
    let status = code(&output);
    assert!(status == 0 || status == signal.1, "{status}: {}", stderr(&output));
    assert_eq!(hidden_parts(around), None, "{signal:?} after {parts} parts; {}", stderr(&output));
    status != 0
}

/// A target one of whose directories is also this machine's.
struct Target {
    /// What comes before the subcommand.
    words: Vec<String>,
    here: PathBuf,
    there: String,
}

impl Target {
    fn new(name: &str, here: &Path, there: &str) -> Self {
        Self { words: vec![name.to_owned()], here: here.to_owned(), there: there.to_owned() }
    }

    /// Interrupts copies again and again, at moments that are spread over them.
    fn interrupt_copies(&self, tries: usize) {
        let directory = tempfile::tempdir().unwrap();
        let (original, around) = (self.here.join("original"), self.here.join("around"));
        let file = || fs::write(&original, vec![b'x'; PARTS * BLOCK]).unwrap();
        file();
        self.interrupt_each("get", &original, &directory.path().join("around"), tries);
        self.interrupt_each("put", &original, &around, tries);
        fs::remove_file(&original).unwrap();
        large_tree(&original);
        self.interrupt_each("get -r", &original, &directory.path().join("around"), tries);
        self.interrupt_each("put -r", &original, &around, tries);
        fs::remove_dir_all(&original).unwrap();
    }

    fn interrupt_each(&self, verb: &str, original: &Path, around: &Path, tries: usize) {
        fs::create_dir(around).unwrap();
        let (here, there) = (original.display(), format!("{}/original", self.there));
        let copy = around.join("copy");
        let (from, to) = match verb.starts_with("get") {
            true => (there, copy.display().to_string()),
            false => (here.to_string(), format!("{}/around/copy", self.there)),
        };
        let signals = [("INT", 130), ("TERM", 143), ("HUP", 129)].into_iter().cycle();
        let interrupted = (0..tries).zip(signals).filter(|(number, signal)| {
            let words = self.words.iter().map(String::as_str).chain(verb.split(' '));
            let child = hostlink(words.chain([&*from, &*to])).spawn().unwrap();
            let was = interrupt(child, around, *signal, number * PARTS / tries / 2);
            if !was {
                fs::remove_file(&copy).or_else(|_| fs::remove_dir_all(&copy)).unwrap();
            }
            was
        });
        // The control: the signals came while it was arriving.
        let count = interrupted.count();
        println!("{verb}: {count} of {tries}");
        assert!(count >= tries / 2, "{verb}: {count}");
        assert_eq!(fs::read_dir(around).unwrap().count(), 0, "{verb}");
        fs::remove_dir(around).unwrap();
    }
}

#[test]
fn an_interrupted_copy_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    Target::new("@local", path, path.to_str().unwrap()).interrupt_copies(TRIES);
}

/// The threads of tokio have 2 MiB, of which a build without optimization must leave enough.
#[test]
fn a_copy_takes_little_of_the_stack() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    large_tree(&directory.path().join("tree"));
    for (verb, from, to) in [("put", "tree", "put"), ("get", "tree", "got")] {
        let mut command = hostlink(["@local", verb, "-r", &path(from), &path(to)]);
        command.env("RUST_MIN_STACK", "1000000");
        let output = command.output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
}

#[test]
fn an_interrupted_copy_leaves_nothing_over_ssh() {
    let (target, directory) = (SshTarget::start(Sshd::builder()), tempfile::tempdir().unwrap());
    let (words, here) = (target.words(), directory.path().to_owned());
    let there = here.display().to_string();
    Target { words, here, there }.interrupt_copies(FEW_TRIES);
}

#[test]
fn an_interrupted_copy_leaves_nothing_in_a_root_directory() {
    let root = Root::debian();
    Target::new(&root.target(), &root.path("srv"), "/srv").interrupt_copies(FEW_TRIES);
}

mod with_docker {
    use hostlink_tests::container::{Container, DEBIAN};

    use super::{FEW_TRIES, Target};

    #[test]
    fn an_interrupted_copy_leaves_nothing_in_a_container() {
        let directory = tempfile::tempdir().unwrap();
        let volume = format!("--volume={}:/there", directory.path().display());
        let container = Container::start_with(DEBIAN, &[&volume]);
        let name = format!("@docker/{}", container.name());
        Target::new(&name, directory.path(), "/there").interrupt_copies(FEW_TRIES);
    }
}
