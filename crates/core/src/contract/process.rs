//! A script that has been started: its streams, its end, and how to end it.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};

use crate::shell::script::Script;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxWrite, Chunk, Duplex, Stream};
use crate::values::output::CommandOutput;
use crate::values::status::ExitStatus;

/// A running script, as [`Connection::spawn`](crate::Connection::spawn) hands it over.
///
/// Dropping it does not end what runs: whoever holds it ends it through `control`.
pub struct Process {
    /// Standard input. Dropping it is the end of input. On a terminal, what is typed.
    pub stdin: Option<BoxWrite>,
    /// Both outputs in the order in which they arrived. Nothing is read ahead of the reader by more
    /// than a few hundred KiB, so a slow reader slows the command down. It ends when every holder
    /// has closed them.
    pub output: BoxStream<'static, std::io::Result<Chunk>>,
    /// Resolves when the script has ended, perhaps before its output does.
    ///
    /// A broken link is an error of kind [`ErrorKind::LinkLost`].
    pub exit: BoxFuture<'static, Result<ExitStatus>>,
    /// Ends the process and changes its window.
    pub control: Box<dyn ProcessControl>,
    /// The other end of the terminal that the process has beside its streams, if
    /// [`SpawnOptions::asked_on_terminal`](crate::SpawnOptions::asked_on_terminal) asked for one.
    /// Closing it takes nothing from the process.
    pub terminal: Option<Box<dyn Duplex>>,
}

impl Process {
    /// A process that has already ended, for a connector whose API returns whole outputs. It
    /// announces itself as `script` would have.
    #[must_use]
    pub fn from_output(script: &Script, output: CommandOutput) -> Self {
        let announcement = Bytes::from(script.announcement());
        let status = output.status().unwrap_or(ExitStatus::Code(0));
        let announced = [Stream::Stdout, Stream::Stderr]
            .map(|stream| Chunk { stream, bytes: announcement.clone() });
        let chunks: Vec<Chunk> = announced.into_iter().chain(output.chunks()).collect();
        Self {
            stdin: Some(Box::pin(tokio::io::sink())),
            output: stream::iter(chunks.into_iter().map(Ok)).boxed(),
            exit: Box::pin(async move { Ok(status) }),
            control: Box::new(NoControl),
            terminal: None,
        }
    }
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
    /// Characters in a line.
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
    /// Ends at once what the connection itself can end, without waiting.
    ///
    /// Returns the process group on the target that is now surely ended, or `None` where only the
    /// connection's own end was closed: a `kill` through the link is then sent as well.
    fn kill(&self) -> Option<i32>;

    /// Waits for a kill that [`kill`](Self::kill) has begun and could not wait for, and says
    /// whether it has surely ended the process `pid` of the target with its group. Default: it has
    /// begun none.
    async fn has_ended(&self, _pid: i32) -> bool {
        false
    }

    /// Tells the terminal its size.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the process is not on a terminal.
    async fn resize(&self, size: TerminalSize) -> Result<()>;
}

/// The control of a process that the connection itself can neither end nor resize: it is over, or
/// every kill goes through the link.
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
