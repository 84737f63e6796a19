//! `docker system dial-stdio` on another target: its standard streams are a connection to the engine.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, Fuse, StreamExt};
use hostlink_core::{
    BoxWrite, Chunk, ConnectorArguments, Duplex, Error, ErrorKind, ExitStatus, Link,
    ProcessControl, Result, Slot, SpawnOptions, Stream, StringCommand,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::brand::Brand;

/// As much of what the command writes to standard error as an error shows.
const MOST_SAID: usize = 2000;

/// Starts the engine's command on a link.
pub(super) struct Stdio {
    pub(super) link: Link,
    pub(super) brand: Brand,
    pub(super) arguments: ConnectorArguments,
}

impl Stdio {
    pub(super) async fn open(&self) -> Result<Box<dyn Duplex>> {
        let command = StringCommand::shell(format!("{} system dial-stdio", self.brand.word()));
        let options = SpawnOptions::default();
        let slot = self.link.connection().slot(&options).await?;
        let process = self.link.spawn_command(&command, &self.arguments, &options).await?;
        let Some(stdin) = process.stdin else {
            return Err(Error::new(ErrorKind::Connect, "the engine's command has no input"));
        };
        Ok(Box::new(Piped {
            stdin,
            output: process.output.fuse(),
            exit: Some(process.exit),
            control: process.control,
            pending: Bytes::new(),
            said: Vec::new(),
            silent: true,
            _slot: slot,
        }))
    }
}

/// A running command as a stream. Dropping it ends the command.
struct Piped {
    stdin: BoxWrite,
    output: Fuse<BoxStream<'static, io::Result<Chunk>>>,
    /// Until it has been heard.
    exit: Option<BoxFuture<'static, Result<ExitStatus>>>,
    control: Box<dyn ProcessControl>,
    pending: Bytes,
    said: Vec<u8>,
    /// The engine has not said anything yet.
    silent: bool,
    _slot: Slot,
}

impl Drop for Piped {
    fn drop(&mut self) {
        self.control.kill();
    }
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.pending.is_empty() {
            match self.output.poll_next_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(Chunk { stream: Stream::Stdout, bytes }))) => {
                    self.silent = false;
                    self.pending = bytes;
                }
                Poll::Ready(Some(Ok(Chunk { bytes, .. }))) => {
                    let room = MOST_SAID.saturating_sub(self.said.len());
                    self.said.extend_from_slice(&bytes[..room.min(bytes.len())]);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                // The end of its output may also be the link's.
                Poll::Ready(None) if self.exit.is_some() => {
                    let ended = self.exit.as_mut().map(|exit| exit.poll_unpin(context));
                    let Some(Poll::Ready(ended)) = ended else { return Poll::Pending };
                    self.exit = None;
                    if let Err(lost) = ended {
                        return Poll::Ready(Err(io::Error::other(lost)));
                    }
                }
                // A command that has reached no engine says why.
                Poll::Ready(None) if self.silent && !self.said.is_empty() => {
                    let said = String::from_utf8_lossy(&self.said).trim().to_owned();
                    return Poll::Ready(Err(io::Error::other(said)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
            }
        }
        let length = self.pending.len().min(buffer.remaining());
        buffer.put_slice(&self.pending[..length]);
        self.pending.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stdin.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.as_mut().poll_shutdown(context)
    }
}
