//! What never ends is not gathered in memory, whoever sends it: a program, a file, a server, an
//! engine or a target.
//!
//! `places` is the table of every place where bytes of others are gathered. The cases here run the
//! command against what has no end, and measure its memory.

mod engine;
mod files;
mod places;
mod programs;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hostlink_tests::cli::{LIMIT, hostlink, stderr};
use tempfile::TempDir;

/// The most memory that the command may have, in KiB.
const MOST: u64 = 64 * 1024;

/// How many commands run at the same time.
const AT_ONCE: usize = 4;

/// What is at a path of a case's directory, which is the command's directory and home.
#[derive(Clone, Copy)]
enum At {
    Text(&'static str),
    /// A script. Those in `bin` are found before the system's programs.
    Program(&'static str),
    Link(&'static str),
    /// A file of 2 TiB without content.
    Sparse,
    Pipe,
}

impl At {
    fn make(self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match self {
            Self::Text(text) => fs::write(path, text).unwrap(),
            Self::Program(text) => {
                fs::write(path, format!("#!/bin/bash\n{text}\n")).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self::Link(to) => symlink(to, path).unwrap(),
            Self::Sparse => File::create(path).unwrap().set_len(1 << 41).unwrap(),
            Self::Pipe => {
                assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
            }
        }
    }
}

/// One command that meets what has no end.
struct Case {
    what: &'static str,
    files: &'static [(&'static str, At)],
    /// Words before `exec -- true`.
    words: &'static [&'static str],
    /// A part of its messages.
    expected: &'static str,
}

impl Case {
    /// Runs it, and returns the most memory that it had, in KiB.
    fn run(&self) -> u64 {
        let directory = self.directory();
        let (output, peak) = measured(self.command(&directory));
        let messages = stderr(&output);
        assert!(messages.contains(self.expected), "{}: {messages}", self.what);
        peak
    }

    fn directory(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, at) in self.files {
            at.make(&directory.path().join(path));
        }
        directory
    }

    fn command(&self, directory: &TempDir) -> Command {
        let here = directory.path();
        let path = std::env::var("PATH").unwrap();
        let mut command = hostlink(self.words.iter().chain(&["exec", "--", "true"]));
        command.current_dir(here).env("HOME", here).env("DOCKER_CONFIG", here.join(".docker"));
        command.env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", here.join("certs"));
        command.env("PATH", format!("{}:{path}", here.join("bin").display()));
        command
    }
}

/// Runs a command to its end, and returns the most memory that it had, in KiB.
fn measured(mut command: Command) -> (Output, u64) {
    let mut child = command.spawn().unwrap();
    let (mut most, begun) = (0, Instant::now());
    // It may end soon: a process that has ended has no memory.
    while child.try_wait().unwrap().is_none() {
        most = most.max(peak(child.id()));
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    (output, most)
}

/// Returns the most memory that a process has had so far, in KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    peak.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

/// Does this for each case, some at the same time, and checks the memory that it returns.
fn assert_bounded<T: Sync>(
    cases: &'static [T],
    shown: fn(&'static T) -> &'static str,
    run: fn(&'static T) -> u64,
) {
    let rest = std::sync::Mutex::new(cases.iter());
    let work = || {
        loop {
            let next = rest.lock().unwrap().next();
            let Some(case) = next else { return };
            let peak = run(case);
            assert!((1024..MOST).contains(&peak), "{}: {peak} KiB", shown(case));
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
}

#[test]
fn the_control_takes_more_memory() {
    let mut command = Command::new("dd");
    command.args(["if=/dev/zero", "of=/dev/null", "bs=80M", "count=1"]).stderr(Stdio::piped());
    let (output, peak) = measured(command);
    assert!(peak > MOST, "{peak} KiB: {}", stderr(&output));
}
