//! The user's terminal: its modes, which are always restored, and its size.

use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostlink::run::TerminalSize;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The terminal's modes before the first change. An abandoned task may hold the guard.
static BEFORE: Mutex<Option<Modes>> = Mutex::new(None);

/// A terminal, and earlier modes of it.
struct Modes {
    terminal: OwnedFd,
    modes: Termios,
}

/// Changed modes. Dropping it restores the previous ones.
pub(crate) struct Changed {
    before: Modes,
    outermost: bool,
}

impl Modes {
    fn of(terminal: impl AsFd) -> io::Result<Self> {
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let modes = tcgetattr(&terminal)?;
        Ok(Self { terminal, modes })
    }

    /// Immediately: waiting for the output to drain could block forever on a terminal that was
    /// stopped with ^S.
    fn put_back(&self) {
        // A terminal that is gone needs no modes.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.modes);
    }
}

impl Changed {
    /// Sets raw mode: typed input arrives unchanged, including control characters, and output
    /// appears unchanged.
    pub(crate) fn raw(terminal: impl AsFd) -> io::Result<Self> {
        Self::change(terminal, OptionalActions::Now, Termios::make_raw)
    }

    /// Switches the echo off. Input that was typed before is dropped, as it was not an answer,
    /// unless the echo was off already.
    pub(crate) fn without_echo(terminal: impl AsFd) -> io::Result<Self> {
        let modes = tcgetattr(&terminal)?.local_modes;
        let silent = modes.contains(LocalModes::ICANON) && !modes.contains(LocalModes::ECHO);
        let when = if silent { OptionalActions::Now } else { OptionalActions::Flush };
        Self::change(terminal, when, |modes| {
            modes.local_modes.remove(LocalModes::ECHO);
            modes.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        })
    }

    fn change(
        terminal: impl AsFd,
        when: OptionalActions,
        change: impl FnOnce(&mut Termios),
    ) -> io::Result<Self> {
        let before = Modes::of(terminal)?;
        let mut modes = before.modes.clone();
        change(&mut modes);
        let mut kept = kept();
        let outermost = kept.is_none();
        // Stored first: after the change there is something to restore.
        if outermost {
            *kept = Some(Modes::of(&before.terminal)?);
        }
        tcsetattr(&before.terminal, when, &modes)?;
        Ok(Self { before, outermost })
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        let mut kept = kept();
        self.before.put_back();
        if self.outermost {
            *kept = None;
        }
    }
}

/// Restores the modes from before the first change. For the end of the program.
pub(crate) fn restore() {
    if let Some(before) = kept().take() {
        before.put_back();
    }
}

/// Returns whether a line needs a carriage return. Between two prompts it may be one too many.
pub(crate) fn is_changed() -> bool {
    kept().is_some()
}

fn kept() -> MutexGuard<'static, Option<Modes>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the terminal of this process, regardless of its standard input. The open file description
/// is new: settings on it do not affect standard input.
pub(crate) fn open() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

/// A terminal's line cannot be longer (termios(3), canonical mode).
const MAX_LINE: usize = 4096;

/// Reads one line, without its ending. It stops when the other end of `cancelled` is closed.
pub(crate) fn read_line(mut terminal: &File, cancelled: &PipeReader) -> io::Result<Vec<u8>> {
    let (mut line, mut length) = (vec![0; MAX_LINE], 0);
    loop {
        wait_for_line(terminal, cancelled)?;
        match terminal.read(&mut line[length..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
        if line[length - 1] == b'\n' {
            line.truncate(length - 1);
            return Ok(line);
        }
    }
}

fn wait_for_line(terminal: &File, cancelled: &PipeReader) -> io::Result<()> {
    loop {
        let mut watched =
            [PollFd::new(cancelled, PollFlags::IN), PollFd::new(terminal, PollFlags::IN)];
        match poll(&mut watched, None) {
            Ok(_) if !watched[0].revents().is_empty() => {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(_) if !watched[1].revents().is_empty() => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns whether standard input is a terminal.
pub(crate) fn is_stdin_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Returns the size of the terminal on standard input; the default if it is unknown.
pub(crate) fn size() -> TerminalSize {
    let known = tcgetwinsize(io::stdin()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    known.map_or_else(TerminalSize::default, |size| TerminalSize {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}

/// Reports changes of the terminal's size: SIGWINCH.
pub(crate) struct Resizes(Signal);

impl Resizes {
    pub(crate) fn new() -> io::Result<Self> {
        signal(SignalKind::window_change()).map(Self)
    }

    pub(crate) async fn next(&mut self) -> TerminalSize {
        self.0.recv().await;
        size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn shown(modes: &Termios) -> String {
        format!("{modes:?}")
    }

    #[test]
    fn modes_are_put_back_by_a_guard_a_panic_and_the_end() {
        let (_pty, pts) = pty_process::blocking::open().unwrap();
        let modes = || shown(&tcgetattr(&pts).unwrap());
        let before = modes();
        let raw = Changed::raw(&pts).unwrap();
        let while_raw = modes();
        assert_ne!(while_raw, before);
        {
            let _silent = Changed::without_echo(&pts).unwrap();
            assert_ne!(modes(), while_raw);
        }
        assert_eq!(modes(), while_raw);
        drop(raw);
        assert_eq!(modes(), before);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _raw = Changed::raw(&pts).unwrap();
            assert_ne!(modes(), before, "the control");
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(modes(), before);
        std::mem::forget(Changed::raw(&pts).unwrap());
        assert_ne!(modes(), before, "the control");
        restore();
        assert_eq!(modes(), before);
    }

    #[test]
    fn what_is_no_terminal_is_refused() {
        let file = File::open("/dev/null").unwrap();
        assert!(Changed::raw(&file).is_err());
    }
}
