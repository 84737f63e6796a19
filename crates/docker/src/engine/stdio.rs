//! `docker system dial-stdio` on another target: its standard streams are a connection to the
//! engine.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, Fuse, StreamExt};
use hostlink_core::{
    BoxWrite, Chunk, ConnectorArguments, Duplex, Error, ErrorKind, ExitStatus, Link,
    ProcessControl, Result, Slot, SpawnOptions, Stream, StringCommand,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::brand::Brand;

/// The maximum part of the command's standard error in an error, in bytes.
const MAX_SHOWN: usize = 2000;

/// Time limit for the command to end once its streams are dropped.
const GRACE: Duration = Duration::from_secs(1);

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
            stdin: Some(stdin),
            output: process.output.fuse(),
            pending: Bytes::new(),
            said: Vec::new(),
            silent: true,
            rest: Some(Rest { exit: process.exit, control: process.control, _slot: slot }),
        }))
    }
}

/// A running command as a stream. Dropping it ends the command.
struct Piped {
    stdin: Option<BoxWrite>,
    output: Fuse<BoxStream<'static, io::Result<Chunk>>>,
    pending: Bytes,
    said: Vec<u8>,
    /// The engine has not sent anything yet.
    silent: bool,
    /// Present until the command's end was reported.
    rest: Option<Rest>,
}

/// The command once its streams are dropped.
struct Rest {
    exit: BoxFuture<'static, Result<ExitStatus>>,
    control: Box<dyn ProcessControl>,
    /// Released when the command has ended.
    _slot: Slot,
}

impl Drop for Piped {
    /// Its end of input ends the command, unless the engine is still sending.
    fn drop(&mut self) {
        self.stdin = None;
        let Some(mut rest) = self.rest.take() else { return };
        let output = std::mem::replace(&mut self.output, stream::empty().boxed().fuse());
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let reading = output.for_each(|_| std::future::ready(()));
            let ended = async { tokio::join!(reading, &mut rest.exit) };
            if timeout(GRACE, ended).await.is_err() {
                rest.control.kill();
                let _ = timeout(GRACE, &mut rest.exit).await;
            }
        });
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
                    let room = MAX_SHOWN.saturating_sub(self.said.len());
                    self.said.extend_from_slice(&bytes[..room.min(bytes.len())]);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => {
                    // The end of its output may also be a lost link.
                    if let Some(rest) = &mut self.rest {
                        let ended = ready!(rest.exit.poll_unpin(context));
                        self.rest = None;
                        ended.map_err(io::Error::other)?;
                    }
                    // A command that has not reached an engine reports why.
                    if self.silent && !self.said.is_empty() {
                        let said = String::from_utf8_lossy(&self.said).trim().to_owned();
                        return Poll::Ready(Err(io::Error::other(said)));
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let length = self.pending.len().min(buffer.remaining());
        buffer.put_slice(&self.pending[..length]);
        self.pending.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl Piped {
    /// Returns whether a write failed because the command had ended. It reports why, and the reader
    /// returns that.
    fn is_over(&self, error: &io::Error) -> bool {
        self.silent && error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(stdin) = &mut self.stdin else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        match ready!(stdin.as_mut().poll_write(context, bytes)) {
            Err(error) if self.is_over(&error) => Poll::Ready(Ok(bytes.len())),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stdin) = &mut self.stdin else { return Poll::Ready(Ok(())) };
        match ready!(stdin.as_mut().poll_flush(context)) {
            Err(error) if self.is_over(&error) => Poll::Ready(Ok(())),
            flushed => Poll::Ready(flushed),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stdin) = &mut self.stdin else { return Poll::Ready(Ok(())) };
        let closed = stdin.as_mut().poll_shutdown(context);
        if closed.is_ready() {
            // Dropping a pipe closes it.
            self.stdin = None;
        }
        closed
    }
}
