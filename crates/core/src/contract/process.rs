//! A started script: its streams, its exit status, and how to kill it.

use std::fmt;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxWrite, Chunk, Duplex};
use crate::values::status::ExitStatus;

/// A running script, as [`Connection::spawn`](crate::Connection::spawn) returns it.
///
/// Dropping it does not end the script: its owner must kill it with `control`.
pub struct Process {
    /// Standard input, or the terminal's. Dropping it is the end of input.
    pub stdin: Option<BoxWrite>,
    /// Both outputs in the order of arrival. At most a few hundred KiB are buffered, so a slow
    /// reader slows the command down. The stream ends when every process has closed both.
    pub output: BoxStream<'static, std::io::Result<Chunk>>,
    /// Resolves when the script has ended, perhaps before its output does.
    ///
    /// A broken link is an error of kind [`ErrorKind::LinkLost`].
    pub exit: BoxFuture<'static, Result<ExitStatus>>,
    /// Kills the process and resizes its terminal.
    pub control: Box<dyn ProcessControl>,
    /// The other end of the terminal that the process has beside its streams, if
    /// [`SpawnOptions::asked_on_terminal`](crate::SpawnOptions::asked_on_terminal) asked for one.
    /// Closing it takes nothing from the process.
    pub terminal: Option<Box<dyn Duplex>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// Rows and columns of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

impl Default for TerminalSize {
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// Ends a process from the connection's side.
#[async_trait]
pub trait ProcessControl: Send + Sync {
    /// Kills what the connection itself can kill, without waiting.
    ///
    /// Returns the process group on the target that has certainly ended, or `None` if only the
    /// connection's own end was closed: core then also sends a `kill` through the link.
    fn kill(&self) -> Option<i32>;

    /// Waits for a kill that [`kill`](Self::kill) started. Returns whether the process `pid` of the
    /// target has certainly ended, with its group. Default: false.
    async fn has_ended(&self, _pid: i32) -> bool {
        false
    }

    /// Sets the size of the terminal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the process is not on a terminal.
    async fn resize(&self, size: TerminalSize) -> Result<()>;
}

/// The control of a process that the connection itself can neither kill nor resize: it has ended,
/// or every kill goes through the link.
#[derive(Clone, Copy, Debug)]
pub struct NoControl;

#[async_trait]
impl ProcessControl for NoControl {
    fn kill(&self) -> Option<i32> {
        None
    }

    async fn resize(&self, _size: TerminalSize) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "the process is not on a terminal"))
    }
}
