//! Readers, writers and chunks of bytes between a command and its caller.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

/// A reader that can move between tasks.
pub type BoxRead = Pin<Box<dyn AsyncRead + Send>>;

/// A writer that can move between tasks.
pub type BoxWrite = Pin<Box<dyn AsyncWrite + Send>>;

/// A stream that can be read and written.
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

/// A chunk of output, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The stream that the command wrote it to.
    pub stream: Stream,
    /// The bytes.
    pub bytes: Bytes,
}

/// Receives a command's output as it arrives.
#[async_trait]
pub trait OutputSink: Send {
    /// Receives a chunk. While it waits, the command waits too.
    ///
    /// # Errors
    ///
    /// An error makes core kill the command.
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()>;
}
