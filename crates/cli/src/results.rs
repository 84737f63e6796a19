//! Standard output: results, and nothing else.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hostlink::{Error, Result};
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::exit::FAILED;
use crate::prompt;
use crate::stop::{Cause, Stop};

/// Writes to standard output. Clones share it. A closed pipe gives the order to stop.
#[derive(Clone, Debug)]
pub(crate) struct Results(Arc<Mutex<Watched>>);

impl Results {
    /// # Errors
    ///
    /// If no descriptor is left.
    pub(crate) fn new(stop: Stop) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Watched { stdout: stdout()?, stop, failed: None }))))
    }

    /// Writes bytes and waits until they are written, which slows their source down.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = self.0.lock().await;
        let _turn = prompt::turn_on(io::stdout()).await;
        stdout.write_all(bytes).await?;
        stdout.flush().await
    }

    /// Starts writing bytes, and waits only for the previous write: more can be produced meanwhile.
    /// An error may come with the next call.
    pub(crate) async fn write_behind(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = self.0.clone().lock_owned().await;
        let _turn = prompt::turn_on(io::stdout()).await;
        stdout.write_all(bytes).await?;
        // A closed pipe must be noticed even if nothing more is written.
        tokio::spawn(async move {
            if let Err(error) = stdout.flush().await {
                stdout.failed = Some(error);
            }
        });
        Ok(())
    }

    /// Waits until everything is written.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.0.lock().await.flush().await
    }

    /// Writes a text that is the whole result.
    pub(crate) async fn show(&self, text: &[u8], stop: &Stop) -> Result<u8> {
        tokio::select! {
            written = self.write(text) => written.map_err(unwritable).map(|()| 0),
            () = stop.requested() => Ok(FAILED),
        }
    }

    /// Writes lines as they come, possibly many, which are the whole result.
    pub(crate) async fn show_lines(
        &self,
        lines: impl Iterator<Item = String>,
        stop: &Stop,
    ) -> Result<u8> {
        let mut text = String::new();
        for line in lines {
            text += &line;
            if text.len() >= PIECE {
                let status = self.show(text.as_bytes(), stop).await?;
                if status != 0 {
                    return Ok(status);
                }
                text.clear();
            }
        }
        self.show(text.as_bytes(), stop).await
    }

    /// Returns the writer itself, for a transfer. Nothing else is written meanwhile.
    pub(crate) async fn writer(&self) -> impl std::ops::DerefMut<Target = Watched> {
        self.0.lock().await
    }
}

/// Bytes of lines that are written together.
const PIECE: usize = 64 * 1024;

/// Returns the error for results that cannot be written.
pub(crate) fn unwritable(error: io::Error) -> Error {
    Error::new(hostlink::ErrorKind::Transfer, "cannot write to standard output").with_source(error)
}

/// Opened as a file: [`tokio::io::Stdout`] has a line buffer, and each of its flushes is another
/// round trip to a thread.
fn stdout() -> io::Result<File> {
    Ok(std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?).into())
}

/// Standard output that gives the order to stop when its reader is gone.
#[derive(Debug)]
pub(crate) struct Watched {
    stdout: File,
    stop: Stop,
    /// An error that was not returned yet.
    failed: Option<io::Error>,
}

impl Watched {
    fn watch<T>(&self, result: io::Result<T>) -> Poll<io::Result<T>> {
        if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.stop.request(Cause::PipeClosed);
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let result = ready!(Pin::new(&mut self.stdout).poll_write(context, bytes));
        self.watch(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let result = ready!(Pin::new(&mut self.stdout).poll_flush(context));
        self.watch(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stdout).poll_shutdown(context));
        self.watch(result)
    }
}
