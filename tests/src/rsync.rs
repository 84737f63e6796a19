//! Checks of `hostlink TARGET rsync` for any target.
//!
//! They look at the target through the command itself, so it may be another machine. Checks of its
//! processes are in `rsync_stop`.

#![expect(clippy::unwrap_used, reason = "these are checks of tests")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::{self, code, run, stderr, stdout};

/// A target, and how it is reached.
#[derive(Clone, Debug)]
pub struct Far {
    program: PathBuf,
    words: Vec<OsString>,
}

impl Far {
    /// Returns the target of this name, reached by the command `hostlink`.
    #[must_use]
    pub fn new(target: &str) -> Self {
        Self { program: crate::binary(), words: vec![target.into()] }
    }

    /// Adds options to every command: host data, privilege.
    #[must_use]
    pub fn with_options<W: Into<OsString>>(mut self, options: impl IntoIterator<Item = W>) -> Self {
        self.words.splice(0..0, options.into_iter().map(Into::into));
        self
    }

    /// Uses another program instead of `hostlink`.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ..self }
    }

    /// `rsync SRC DEST -- FLAGS`.
    #[must_use]
    pub fn rsync(
        &self,
        source: impl AsRef<OsStr>,
        destination: impl AsRef<OsStr>,
        flags: &[&str],
    ) -> Command {
        let mut command = cli::command(&self.program, &self.words);
        command.arg("rsync").arg(source).arg(destination).arg("--").args(flags);
        command
    }

    /// Copies. It must succeed without output.
    fn copies(&self, source: impl AsRef<OsStr>, destination: impl AsRef<OsStr>, flags: &[&str]) {
        let command = self.rsync(source, destination, flags);
        let shown = format!("{command:?}");
        let output = run(command);
        let said = (code(&output), stdout(&output), stderr(&output));
        assert_eq!(said, (0, String::new(), String::new()), "{shown}");
    }

    /// Runs a line in the target's shell, which must succeed, and returns its output.
    fn said(&self, line: &str) -> String {
        let mut command = cli::command(&self.program, &self.words);
        let output = run(command_with_line(&mut command, line));
        assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
        stdout(&output)
    }

    /// Makes a directory on the target.
    #[must_use]
    pub fn directory(&self) -> FarDirectory {
        let path = self.said("mktemp -d").trim_end().to_owned();
        FarDirectory { far: self.clone(), path }
    }
}

fn command_with_line(command: &mut Command, line: &str) -> Command {
    command.args(["exec", "--", line]);
    std::mem::replace(command, Command::new("true"))
}

/// A directory on a target that is removed when dropped.
#[derive(Debug)]
pub struct FarDirectory {
    far: Far,
    path: String,
}

impl FarDirectory {
    /// Returns the path of an entry, as SRC or DEST.
    #[must_use]
    pub fn at(&self, name: impl AsRef<OsStr>) -> OsString {
        let mut path = OsString::from(format!(":{}/", self.path));
        path.push(name);
        path
    }

    /// Returns its path on the target.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns how many entries it has, at any depth.
    fn count(&self) -> usize {
        let line = format!("find {} -mindepth 1 -print0 | tr -cd '\\0' | wc -c", self.path);
        self.far.said(&line).trim().parse().unwrap()
    }

    /// Returns the sorted names in it, as `ls -A` prints them.
    fn names(&self) -> Vec<String> {
        let names = self.far.said(&format!("LC_ALL=C ls -A {}", self.path));
        names.lines().map(str::to_owned).collect()
    }
}

impl Drop for FarDirectory {
    fn drop(&mut self) {
        let mut command = cli::command(&self.far.program, &self.far.words);
        // A failed check has been reported already.
        let _ = run(command_with_line(&mut command, &format!("rm -rf {}", self.path)));
    }
}

/// Names that a shell or a command line would misread.
const ODD_NAMES: [&str; 14] = [
    "a b",
    " ",
    "it's",
    "\"q\"",
    "$HOME",
    "`id`",
    "$(id)",
    "a;b&c|d>e",
    "n\nl",
    "-rf",
    "a:b",
    "back\\slash",
    "#~{x,y}!",
    "ünï",
];

/// Checks that a tree that is put and got is unchanged.
///
/// # Panics
///
/// If it is not.
pub fn a_tree_round_trips(far: &Far) {
    let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
    let tree = here.path().join("tree");
    grow(&tree);
    far.copies(slashed(&tree), there.at("copy/"), &["-rlpt"]);
    let back = here.path().join("back");
    far.copies(there.at("copy/"), slashed(&back), &["-rlpt"]);
    let found = listing(&back);
    assert_eq!(found, listing(&tree));
    // The directory itself is counted on the target, too.
    assert_eq!(there.count(), found.len() + 1);
}

/// Checks that `--delete` reaches the other side, and that nothing is deleted without it.
///
/// # Panics
///
/// If a check fails.
pub fn what_is_gone_is_deleted_on_demand(far: &Far) {
    let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
    let source = slashed(here.path());
    for name in ["kept", "gone"] {
        fs::write(here.path().join(name), name).unwrap();
    }
    far.copies(&source, there.at(""), &["-rt"]);
    fs::remove_file(here.path().join("gone")).unwrap();
    far.copies(&source, there.at(""), &["-rt"]);
    assert_eq!(there.names(), ["gone", "kept"]);
    far.copies(&source, there.at(""), &["-rt", "--delete"]);
    assert_eq!(there.names(), ["kept"]);
    fs::write(here.path().join("extra"), "x").unwrap();
    far.copies(there.at(""), &source, &["-rt", "--delete"]);
    assert_eq!(listing(here.path()).len(), 1);
}

/// Checks that names arrive unchanged in both directions, as path arguments and over the protocol.
///
/// # Panics
///
/// If they do not.
pub fn odd_names_arrive(far: &Far) {
    let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
    let mut names: Vec<&OsStr> = ODD_NAMES.iter().map(AsRef::as_ref).collect();
    names.push(OsStr::from_bytes(b"not \xff UTF-8"));
    for flags in [&["-t"][..], &["-t", "-s"]] {
        for (number, name) in names.iter().enumerate() {
            let content = format!("{name:?}{flags:?}");
            let [from, to] =
                ["from", "to"].map(|folder| here.path().join(format!("{folder}{number}")));
            for folder in [&from, &to] {
                let _ = fs::remove_dir_all(folder);
                fs::create_dir(folder).unwrap();
            }
            fs::write(from.join(name), &content).unwrap();
            // The name is the last part of the path on either side, and a relative path.
            let local = operand(name);
            let mut put = far.rsync(&local, there.at(name), flags);
            let output = run(in_directory(&mut put, &from));
            assert_eq!((code(&output), stderr(&output)), (0, String::new()), "put {name:?}");
            let mut remote = there.at("");
            remote.push(escaped(name));
            let mut get = far.rsync(remote, &local, flags);
            let output = run(in_directory(&mut get, &to));
            assert_eq!((code(&output), stderr(&output)), (0, String::new()), "get {name:?}");
            assert_eq!(fs::read_to_string(to.join(name)).unwrap(), content, "{name:?}");
        }
    }
    assert_eq!(there.count(), names.len());
}

/// Checks a path on the target that starts with a dash, and a wildcard with and without a
/// backslash.
///
/// # Panics
///
/// If they are not read as rsync reads them.
pub fn paths_are_read_as_rsync_reads_them(far: &Far) {
    let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
    far.said(&format!("cd {} && echo 1 >'a*b' && echo 2 >axb && echo 3 >./-dash", there.path()));
    let got = |source: OsString, options: &[&str]| {
        let to = here.path().join("to");
        let _ = fs::remove_dir_all(&to);
        far.clone().with_options(options).copies(source, slashed(&to), &["-t"]);
        listing(&to).into_keys().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(got(there.at("a*b"), &[]), ["a*b", "axb"]);
    assert_eq!(got(there.at("a\\*b"), &[]), ["a*b"]);
    assert_eq!(got(":-dash".into(), &["--chdir", there.path()]), ["-dash"]);
    assert_eq!(got(":axb".into(), &["--chdir", there.path()]), ["axb"]);
}

/// Checks that exit statuses are rsync's own.
///
/// # Panics
///
/// If they are not.
pub fn a_missing_source_is_rsync_s_own_failure(far: &Far) {
    let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
    let missing = here.path().join("missing");
    for (source, destination) in
        [(missing.clone().into(), there.at("")), (there.at("missing"), missing.into())]
    {
        let output = run(far.rsync(source, destination, &["-a"]));
        assert_eq!(code(&output), 23, "{}", stderr(&output));
        assert!(stderr(&output).contains("missing"), "{}", stderr(&output));
    }
    let output = run(far.rsync(slashed(here.path()), there.at(""), &["--no-such-option"]));
    assert_eq!(code(&output), 1, "{}", stderr(&output));
}

/// Checks that a target without rsync gets its own error, in both directions.
///
/// # Panics
///
/// If it does not.
pub fn a_target_without_rsync_has_its_own_error(far: &Far) {
    let here = tempfile::tempdir().unwrap();
    for (source, destination) in
        [(slashed(here.path()), ":/tmp/".into()), (":/etc/hosts".into(), slashed(here.path()))]
    {
        let output = run(far.rsync(source, destination, &["-a"]));
        assert_eq!(code(&output), 127, "{}", stderr(&output));
        assert!(stderr(&output).contains("the target has no rsync"), "{}", stderr(&output));
    }
}

fn in_directory(command: &mut Command, directory: &Path) -> Command {
    command.current_dir(directory);
    std::mem::replace(command, Command::new("true"))
}

/// Returns the name as a path argument: a leading dash would make it an option of hostlink's.
fn operand(name: &OsStr) -> OsString {
    let is_option = name.as_bytes().starts_with(b"-");
    if is_option { Path::new(".").join(name).into_os_string() } else { name.to_owned() }
}

/// With a backslash in front of wildcards. Elsewhere, rsync takes one for itself.
fn escaped(name: &OsStr) -> OsString {
    let mut escaped = Vec::new();
    for byte in name.as_bytes() {
        if b"*?[".contains(byte) {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    OsStr::from_bytes(&escaped).to_owned()
}

/// The path with a slash behind it: what is in the directory.
fn slashed(path: &Path) -> OsString {
    path.join("").into_os_string()
}

/// A tree with odd names, modes, times, and symlinks.
fn grow(root: &Path) {
    for (number, folder) in ODD_NAMES.into_iter().enumerate() {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).unwrap();
        for (inner, name) in ODD_NAMES.into_iter().enumerate() {
            let content = format!("{name}{number}").repeat(number * inner);
            fs::write(folder.join(name), content).unwrap();
            let mode = [0o644, 0o600, 0o755, 0o444][inner % 4];
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
        }
        symlink("no\nwhere", folder.join("link")).unwrap();
    }
}

/// A file's mode, time and content, or a symlink's target.
type Entry = (u32, i64, Vec<u8>);

fn listing(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    add(root, Path::new(""), &mut entries);
    entries
}

fn add(root: &Path, below: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    for found in fs::read_dir(root.join(below)).unwrap() {
        let name = below.join(found.unwrap().file_name());
        let path = root.join(&name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
        } else if metadata.is_dir() {
            add(root, &name, entries);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        entries.insert(name, (metadata.mode(), metadata.mtime(), content));
    }
}
