//! Runs the command `hostlink` as a user's shell does, and checks which processes it leaves.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hostlink::connect::SECRET_VARIABLES;

/// The limit of every wait. A busy machine may need a large part of it.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Returns the command `hostlink` with these arguments, its outputs piped and its input empty.
pub fn hostlink<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Command {
    command(&crate::binary(), words)
}

/// Keeps Terraform from looking for newer versions of itself on the internet.
pub const NO_CHECKPOINT: (&str, &str) = ("CHECKPOINT_DISABLE", "1");

/// Does the work of [`hostlink()`] for another program.
pub fn command<W: AsRef<OsStr>>(program: &Path, words: impl IntoIterator<Item = W>) -> Command {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env(NO_CHECKPOINT.0, NO_CHECKPOINT.1);
    for variable in SECRET_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Runs a command to its end, and returns its output.
///
/// # Panics
///
/// If the command cannot be started.
#[must_use]
pub fn run(mut command: Command) -> Output {
    command.output().expect("the command starts")
}

/// Runs a command like [`run()`], with these bytes on standard input.
///
/// # Panics
///
/// If the command cannot be started.
#[must_use]
pub fn run_with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A command that fails early stops reading.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("it can be waited for");
    writer.join().expect("the writer does not panic");
    output
}

/// The exit code.
///
/// # Panics
///
/// If a signal ended the command.
#[must_use]
pub fn code(output: &Output) -> i32 {
    let code = output.status.code();
    code.unwrap_or_else(|| panic!("{}; {}", output.status, stderr(output)))
}

/// Standard output as text.
#[must_use]
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
#[must_use]
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A number of seconds for `sleep` that no other test has, so that its process can be found.
#[must_use]
pub fn unique_seconds() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("4{:08}.{count:03}", std::process::id())
}

/// Returns the number of processes with exactly this program and argument.
///
/// # Panics
///
/// Without /proc.
#[must_use]
pub fn count_running(program: &str, argument: &str) -> usize {
    let wanted = format!("{program}\0{argument}\0");
    let entries = fs::read_dir("/proc").expect("there is /proc").flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line == wanted.as_bytes()).count()
}

/// Waits for a condition.
///
/// # Panics
///
/// If the condition does not become true.
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(becomes_true(condition), "timed out: {what}");
}

/// Waits for a condition. Returns false if it does not become true in time.
pub fn becomes_true(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + LIMIT;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the end of a child.
///
/// # Panics
///
/// If the child does not end.
pub fn wait_for_exit(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("the command ends", || {
        status = child.try_wait().expect("it can be waited for");
        status.is_some()
    });
    status.expect("it has ended")
}

/// Sends a signal, like `INT`, to a child.
///
/// # Panics
///
/// If the signal cannot be sent.
pub fn send_signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.expect("there is kill").success(), "kill -s {signal} {id}");
}
