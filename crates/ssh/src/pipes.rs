//! Our ends of the pipes to a master. A pipe grows once much goes through it.
//!
//! With the usual 64 KiB the two of us would take turns: ssh writes a page as soon as there is room for one. A user has
//! a limit for all pipes together (`pipe-user-pages-soft`, pipe(7)), so only those grow that have a use for it.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// What a busy pipe holds: a hundred of them stay below half of the limit.
#[cfg(target_os = "linux")]
const LARGE: usize = 256 * 1024;

/// A read of so much means that more is on its way.
const BUSY: usize = 32 * 1024;

/// One end of a pipe.
#[derive(Debug)]
pub(crate) struct Pipe<E> {
    end: E,
    is_large: bool,
}

impl<E: AsFd> Pipe<E> {
    pub(crate) fn new(end: E) -> Self {
        Self { end, is_large: false }
    }

    /// Once. Where it may not, it goes on as it is.
    fn grow(&mut self) {
        if !self.is_large {
            #[cfg(target_os = "linux")]
            let _ = rustix::pipe::fcntl_setpipe_size(&self.end, LARGE);
            self.is_large = true;
        }
    }
}

impl AsyncRead for Pipe<Receiver> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.end).poll_read(context, buffer))?;
        if buffer.filled().len() - before >= BUSY {
            self.grow();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe<Sender> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.end).poll_write(context, bytes);
        if matches!(written, Poll::Ready(Ok(length)) if length < bytes.len()) {
            self.grow();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_shutdown(context)
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use rustix::pipe::fcntl_getpipe_size;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (Pipe<Sender>, Pipe<Receiver>) {
        let (sender, receiver) = tokio::net::unix::pipe::pipe().unwrap();
        (Pipe::new(sender), Pipe::new(receiver))
    }

    fn size(pipe: &Pipe<impl AsFd>) -> usize {
        fcntl_getpipe_size(&pipe.end).unwrap()
    }

    #[tokio::test]
    async fn a_pipe_grows_when_it_is_read_in_large_pieces() {
        let (mut near, mut far) = pair();
        let usual = size(&far);
        near.write_all(&[b'x'; 100]).await.unwrap();
        let mut buffer = vec![0; LARGE];
        assert_eq!(far.read(&mut buffer).await.unwrap(), 100);
        assert_eq!(size(&far), usual);
        near.write_all(&vec![b'x'; BUSY]).await.unwrap();
        assert_eq!(far.read(&mut buffer).await.unwrap(), BUSY);
        assert_eq!(size(&far), LARGE);
    }

    #[tokio::test]
    async fn a_pipe_grows_when_it_is_full() {
        let (mut near, mut far) = pair();
        let (usual, bytes) = (size(&near), vec![b'x'; 1 << 20]);
        near.write_all(&bytes[..usual]).await.unwrap();
        assert_eq!(size(&near), usual);
        let mut came = vec![0; usual + bytes.len()];
        let (written, read) = tokio::join!(near.write_all(&bytes), far.read_exact(&mut came));
        written.unwrap();
        read.unwrap();
        assert_eq!(size(&near), LARGE);
        assert!(came.iter().all(|byte| *byte == b'x'));
    }
}
