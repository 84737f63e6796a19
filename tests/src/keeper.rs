//! A directory and the processes in it that end with the test, however the test ends.
//!
//! The program `hostlink-keeper` cleans up after a SIGKILL, when no `Drop` runs: it is blocked on a
//! pipe from the test. Before the test makes anything that would stay, it writes the command that
//! removes it to `DIR/undo`. `cargo xtask test --provision` runs those of keepers that were killed
//! themselves.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::processes::signal;

/// The limit of every start, for a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A world-readable directory, and the processes that run for a test.
#[derive(Debug)]
pub struct Keeper {
    dir: PathBuf,
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    undo: Vec<String>,
}

impl Keeper {
    /// Makes an empty directory.
    ///
    /// # Panics
    ///
    /// If the program `hostlink-keeper` was not built or cannot work.
    #[must_use]
    pub fn start() -> Self {
        // Eight digits leave room for a socket's name (108 bytes).
        let dir = std::env::temp_dir().join(unique_name());
        let mut command = Command::new(program());
        command.arg(&dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("hostlink-keeper starts");
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut keeper = Self { dir, child, commands, answers, undo: Vec::new() };
        assert_eq!(keeper.answer(), "ready", "hostlink-keeper");
        keeper
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file in the directory.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn write(&self, name: &str, mode: u32, content: &str) -> PathBuf {
        let path = self.dir.join(name);
        // Sets the mode from the start: the file may hold a secret, and the directory is
        // world-readable.
        let file = File::options().write(true).create(true).truncate(true).mode(mode).open(&path);
        let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        path
    }

    /// Changes something on the machine that would stay, by a script. Such scripts run one at a
    /// time. The undo script is stored first; it also runs if only part was made, and prints
    /// nothing unless it fails. Returns false if the script fails; its output is in the log.
    ///
    /// # Panics
    ///
    /// If the keeper cannot work, or after [`Keeper::run()`].
    #[must_use]
    pub fn make(&mut self, script: &str, undo: &str) -> bool {
        self.undo.insert(0, format!("{undo}\n"));
        let new = self.write("undo.new", 0o700, &locked(&self.undo.concat()));
        fs::rename(new, self.dir.join("undo")).expect("they are in one directory");
        self.write("make", 0o700, &locked(script));
        self.write("log", 0o644, "");
        self.command("make") == "exit status: 0"
    }

    /// Starts a line of shell, which should `exec` its program, with an empty log. Returns its
    /// process ID.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn run(&mut self, line: &str) -> u32 {
        self.write("run", 0o700, &format!("{line}\n"));
        let _ = fs::remove_file(self.dir.join("ended"));
        self.write("log", 0o644, "");
        let answer = self.command("run");
        answer.parse().unwrap_or_else(|_| panic!("hostlink-keeper: {answer}"))
    }

    /// Kills the process with SIGKILL.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop(&self, pid: u32) {
        signal(pid, Signal::KILL);
        crate::cli::wait_until("it ends", || self.ended().is_some());
    }

    /// Returns the output of the process or script that was started last.
    ///
    /// # Panics
    ///
    /// If nothing was started.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.dir.join("log")).expect("something was started");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Returns how the program ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        fs::read_to_string(self.dir.join("ended")).ok()
    }

    /// Waits until the program is ready. Returns false if it ends before that.
    ///
    /// # Panics
    ///
    /// If neither happens.
    pub fn wait_until_ready(&self, mut is_ready: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + START_LIMIT;
        while !is_ready() {
            if self.ended().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "it does not become ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    fn command(&mut self, line: &str) -> String {
        let commands = self.commands.as_mut().expect("it is open until the drop");
        commands.write_all(format!("{line}\n").as_bytes()).expect("the keeper reads");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the keeper answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.commands.take());
        let mut faults = String::new();
        let read = self.answers.read_to_string(&mut faults);
        let ended = self.child.wait();
        if !std::thread::panicking() {
            assert!(
                read.is_ok() && ended.is_ok_and(|status| status.success()),
                "hostlink-keeper failed"
            );
            assert!(faults.is_empty(), "left behind: {faults}");
        }
    }
}

/// Runs a program that must succeed, and returns its standard output.
///
/// # Panics
///
/// If it fails.
pub fn run_tool(program: &str, words: &[&str]) -> String {
    run_tool_with_input(program, words, "")
}

/// Runs a program like [`run_tool()`], with a text on standard input.
///
/// # Panics
///
/// If it fails.
pub fn run_tool_with_input(program: &str, words: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("it is a pipe");
    // A program that does not read may have closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it can be waited for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Serializes scripts: useradd(8), ip-netns(8) and others fail if several run at the same time.
fn locked(script: &str) -> String {
    format!("exec 9>>/run/hostlink-tests.lock; flock 9\n{script}\n")
}

/// Returns a unique name, short enough for a user, a namespace or a directory.
///
/// # Panics
///
/// If the kernel gives no random numbers.
#[must_use]
pub fn unique_name() -> String {
    format!("hl-{:08x}", getrandom::u32().expect("the kernel has random numbers"))
}

/// Looks beside the program itself or, for a test, beside the directory of its own binary.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    let mut dirs = own.ancestors().skip(1).take(2);
    let found = dirs.find_map(|dir| Some(dir.join("hostlink-keeper")).filter(|it| it.exists()));
    found.unwrap_or_else(|| panic!("hostlink-keeper is missing beside {}", own.display()))
}
