//! A real terminal with a program on it, for interactive tests.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::cli::{command, wait_for_exit, wait_until};

/// A program on its own terminal, under a shell that leads its session as a user's does. When the
/// program has ended, the shell prints `[status N]` and stays, so the terminal can still be
/// examined.
pub struct Terminal {
    pty: Arc<Pty>,
    shell: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    modes_before: String,
}

const SHELL: &str = r#""$@"; echo "[status $?]"; exec cat >/dev/null"#;

impl Terminal {
    /// Starts `program` with these arguments and variables, on 24 lines of 80 characters.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start<W: AsRef<OsStr>>(
        program: &Path,
        words: impl IntoIterator<Item = W>,
        variables: &[(&str, &str)],
    ) -> Self {
        let (pty, pts) = open().expect("there are pseudo-terminals");
        resize(&pty, 24, 80);
        let modes_before = modes(&pty);
        let mut shell = Command::new("sh").args(["-c", SHELL, "sh"]).arg(program);
        for word in words {
            shell = shell.arg(word);
        }
        // The same variables as for every test of the command.
        let plain = command(program, std::iter::empty::<&str>());
        for (name, _) in plain.get_envs().filter(|(_, value)| value.is_none()) {
            shell = shell.env_remove(name);
        }
        shell = shell.env("SHELL", "/bin/sh").env("TERM", "xterm");
        shell = shell.envs(variables.iter().copied());
        let shell = shell.spawn(pts).expect("sh starts");
        let pty = Arc::new(pty);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (reading, seen) = (pty.clone(), shown.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = (&*reading).read(&mut buffer) {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend_from_slice(&buffer[..length]);
            }
        });
        Self { pty, shell, shown, modes_before }
    }

    /// Types text, `\r` being the return key and `\x03` Ctrl-C.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    pub fn type_in(&self, text: &str) {
        (&*self.pty).write_all(text.as_bytes()).expect("the terminal is there");
    }

    /// Returns all output so far.
    #[must_use]
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Waits until this text has appeared, and returns all of it.
    ///
    /// # Panics
    ///
    /// If it does not appear.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_count(text, 1)
    }

    /// Waits until this text has appeared `count` times, and returns all output.
    ///
    /// # Panics
    ///
    /// If it does not appear as often.
    pub fn wait_for_count(&self, text: &str, count: usize) -> String {
        let mut shown = String::new();
        let what = format!("{text:?} appears {count} times");
        let shown_at_all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&what, || {
                shown = self.shown();
                shown.matches(text).count() >= count
            });
        }));
        assert!(shown_at_all.is_ok(), "{what} in {shown:?}");
        shown
    }

    /// Waits until the program has ended, and returns its exit status.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn wait_for_status(&self) -> i32 {
        let mut status = None;
        self.wait_for("[status ");
        wait_until("the status is whole", || {
            let shown = self.shown();
            let line = shown.rsplit("[status ").next().unwrap_or_default();
            status = line.split_once(']').and_then(|(number, _)| number.parse().ok());
            status.is_some()
        });
        status.expect("it was waited for")
    }

    /// Resizes the terminal, which notifies its programs.
    pub fn resize(&self, rows: u16, columns: u16) {
        resize(&self.pty, rows, columns);
    }

    /// Returns whether the terminal's modes are the initial ones.
    #[must_use]
    pub fn has_first_modes(&self) -> bool {
        modes(&self.pty) == self.modes_before
    }

    /// Waits until a program has changed the terminal's modes.
    ///
    /// # Panics
    ///
    /// If no program does.
    pub fn wait_until_taken_over(&self) {
        wait_until("the terminal's modes are changed", || !self.has_first_modes());
    }

    /// Returns the process ID of the program, which is the shell's only child.
    ///
    /// # Panics
    ///
    /// If it does not exist.
    #[must_use]
    pub fn program(&self) -> u32 {
        let mut found = None;
        wait_until("the program runs", || {
            found = child_of(self.shell.id());
            found.is_some()
        });
        found.expect("it was waited for")
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("shown", &self.shown()).finish_non_exhaustive()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // When the leader of its session ends, the terminal hangs up, and all processes on it.
        let _ = self.shell.kill();
        wait_for_exit(&mut self.shell);
    }
}

/// Returns the first process whose parent (proc(5), ppid) is this one.
fn child_of(parent: u32) -> Option<u32> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        fields.split(' ').nth(1) == Some(parent.to_string().as_str())
    };
    numbers.into_iter().find(is_child)
}

fn resize(pty: &Pty, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(pty, size).expect("a terminal has a size");
}

/// Returns the modes, which both ends of a pseudo-terminal share.
fn modes(pty: &Pty) -> String {
    format!("{:?}", tcgetattr(pty).expect("a terminal has modes"))
}
