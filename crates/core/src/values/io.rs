//! The readers, writers and chunks of bytes that pass between a command and its caller.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

/// A reader that can be handed from task to task.
pub type BoxRead = Pin<Box<dyn AsyncRead + Send>>;

/// A writer that can be handed from task to task.
pub type BoxWrite = Pin<Box<dyn AsyncWrite + Send>>;

/// A stream that is read and written.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output. On a terminal, everything.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Some bytes of output, as they arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where the command wrote them.
    pub stream: Stream,
    /// What it wrote.
    pub bytes: Bytes,
}

/// Takes a command's output as it arrives.
#[async_trait]
pub trait OutputSink: Send {
    /// Takes some bytes. While it waits, the command waits too.
    ///
    /// # Errors
    ///
    /// The command is then killed.
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()>;
}
