//! Kills a child process and its whole group, and resizes its terminal.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hostlink_core::{Error, ErrorKind, ProcessControl, Result, Script, TerminalSize};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, geteuid, kill_process_group, test_kill_process};
use rustix::termios::{Winsize, tcsetwinsize};

/// The process group that a child leads, and its terminal if it has one.
pub(crate) struct Control {
    group: Option<Pid>,
    reaped: Arc<AtomicBool>,
    terminal: Option<OwnedFd>,
    /// The script switches to another user, and this process is not root: then some of the group
    /// cannot be killed.
    partly: bool,
}

impl Control {
    /// `reaped` is set when the child has been waited for: from then on its PID may belong to
    /// another process.
    pub(crate) fn new(
        script: &Script,
        pid: Option<u32>,
        reaped: Arc<AtomicBool>,
        terminal: Option<OwnedFd>,
    ) -> Self {
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        let partly = script.is_privileged() && !geteuid().is_root();
        let group = pid.and_then(Pid::from_raw);
        Self { group, reaped, terminal, partly }
    }
}

#[async_trait]
impl ProcessControl for Control {
    fn kill(&self) -> Option<i32> {
        let group = self.group?;
        let reaped = self.reaped.load(Ordering::Relaxed);
        // While the group has members no new process gets its ID: one that has it now is unrelated.
        if reaped && test_kill_process(group) != Err(Errno::SRCH) {
            return None;
        }
        match kill_process_group(group, Signal::KILL) {
            // Success means that one process was killed, and says nothing about the others
            // (kill(2)).
            Ok(()) if self.partly => None,
            Ok(()) => Some(group.as_raw_nonzero().get()),
            // No such group: its last process has ended, or moved to its own group.
            Err(Errno::SRCH) if !reaped && !self.partly => Some(group.as_raw_nonzero().get()),
            // A privileged group is left to a kill with the same privilege.
            Err(_) => None,
        }
    }

    async fn resize(&self, size: TerminalSize) -> Result<()> {
        let Some(terminal) = &self.terminal else {
            return Err(Error::new(ErrorKind::Unsupported, "the process is not on a terminal"));
        };
        let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(terminal, size).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "the terminal's size cannot be set")
                .with_source(std::io::Error::from(error))
        })
    }
}
