//! Standard input of a command.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::time::{Sleep, sleep};

use crate::brand::Brand;
use crate::engine::Hijacked;

/// The delay of input on a Podman terminal after the start. Podman 4.3.1 loses a command's
/// output, and inserts an error of its own, if input reaches the command's monitor at the moment
/// when the command ends. The end of input that every command without input gets would hit each
/// short command.
const HELD_BACK: Duration = Duration::from_millis(250);

/// The writing half of a stream. Dropping it ends the input; otherwise the stream's other half
/// would keep it open.
pub(super) struct Stdin {
    half: Option<WriteHalf<Hijacked>>,
    /// The engine closes a terminal's output together with its input, so this side is never closed.
    terminal: bool,
    held_back: Option<Pin<Box<Sleep>>>,
}

impl Stdin {
    pub(super) fn new(half: WriteHalf<Hijacked>, terminal: bool, brand: Brand) -> Self {
        let is_held_back = terminal && brand == Brand::Podman;
        let held_back = is_held_back.then(|| Box::pin(sleep(HELD_BACK)));
        Self { half: Some(half), terminal, held_back }
    }

    fn half(&mut self) -> io::Result<Pin<&mut WriteHalf<Hijacked>>> {
        self.half.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(sleep) = &mut self.held_back {
            ready!(sleep.as_mut().poll(context));
            self.held_back = None;
        }
        self.half()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.terminal {
            return Poll::Ready(Ok(()));
        }
        let Some(half) = self.half.as_mut() else { return Poll::Ready(Ok(())) };
        let closed = Pin::new(half).poll_shutdown(context);
        if closed.is_ready() {
            self.half = None;
        }
        closed
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        let half = self.half.take().filter(|_| !self.terminal);
        if let (Some(mut half), Ok(runtime)) = (half, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { half.shutdown().await });
        }
    }
}
