//! A connection that breaks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::{
    BoxWrite, Chunk, Connection, Error, ErrorKind, ExitStatus, Features, Link, Outcome, Process,
    ProcessControl, Result, Script, Slot, SpawnOptions, TerminalSize,
};
use tokio::io::AsyncWrite;
use tokio::sync::watch;

/// The way in which a [`Cut`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The command sees its input end, and what is written after that is discarded. The writer sees
    /// no error.
    Input,
    /// The rest of the output is discarded. The reader sees its end, and the command's exit status,
    /// as if it were complete.
    Output,
    /// The link is lost: the command sees its input end, the reader gets an error, and no command
    /// can be started any more.
    Link,
}

/// A connection that passes on another link's, and breaks after some bytes of a command's input or
/// output.
///
/// The output that counts starts with the announcements of the script. The connection's own file
/// transfer is hidden, since it would bypass the cut.
#[derive(Debug)]
pub struct Cut {
    link: Link,
    loss: Loss,
    after: u64,
    lost: Arc<watch::Sender<bool>>,
}

impl Cut {
    /// Breaks each command of `link` after `after` bytes: of its output for [`Loss::Output`], else
    /// of its input.
    #[must_use]
    pub fn new(link: Link, loss: Loss, after: u64) -> Self {
        Self { link, loss, after, lost: Arc::new(watch::Sender::new(false)) }
    }
}

#[async_trait]
impl Connection for Cut {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        self.link.connection().slot(options).await
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        if *self.lost.borrow() {
            return Err(link_lost());
        }
        let mut process = self.link.connection().spawn(script, options).await?;
        if self.loss == Loss::Output {
            process.output = shortened(process.output, self.after);
            return Ok(process);
        }
        let lost = (self.loss == Loss::Link).then(|| self.lost.clone());
        process.stdin = process.stdin.map(|stdin| {
            Box::pin(CutInput { stdin: Some(stdin), left: self.after, lost }) as BoxWrite
        });
        if self.loss == Loss::Link {
            process.output = breaking(process.output, self.lost.subscribe());
            process.exit = Box::pin(exit_or_loss(process.exit, self.lost.subscribe()));
            process.control =
                Box::new(CutControl { inner: process.control, lost: self.lost.subscribe() });
        }
        Ok(process)
    }

    fn fits(&self, script: &[u8], options: &SpawnOptions) -> bool {
        self.link.connection().fits(script, options)
    }

    /// Offers no terminals. Its control kills nothing once the link is cut.
    fn features(&self) -> Features {
        let Features { max_terminal_input, input_waits, .. } = self.link.connection().features();
        Features { max_terminal_input, input_waits, ..Features::default() }
    }

    async fn probe(&self) -> Result<()> {
        self.link.connection().probe().await
    }

    async fn disconnect(&self, outcome: Outcome) -> Result<()> {
        self.link.disconnect_after(outcome).await
    }
}

fn link_lost() -> Error {
    Error::new(ErrorKind::LinkLost, "the link was cut")
}

/// Waits until the link is lost.
async fn loss(mut lost: watch::Receiver<bool>) {
    if lost.wait_for(|lost| *lost).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn exit_or_loss(
    exit: BoxFuture<'static, Result<ExitStatus>>,
    lost: watch::Receiver<bool>,
) -> Result<ExitStatus> {
    match select(exit, Box::pin(loss(lost))).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => Err(link_lost()),
    }
}

fn breaking(
    output: BoxStream<'static, io::Result<Chunk>>,
    lost: watch::Receiver<bool>,
) -> BoxStream<'static, io::Result<Chunk>> {
    let broken = stream::once(async { Err(io::Error::from(io::ErrorKind::ConnectionReset)) });
    output
        .take_until(loss(lost.clone()))
        .chain(broken.filter(move |_| {
            let lost = *lost.borrow();
            std::future::ready(lost)
        }))
        .boxed()
}

fn shortened(
    output: BoxStream<'static, io::Result<Chunk>>,
    after: u64,
) -> BoxStream<'static, io::Result<Chunk>> {
    let mut left = usize::try_from(after).unwrap_or(usize::MAX);
    let cut = output.filter_map(move |chunk| {
        let chunk = chunk.map(|Chunk { stream, mut bytes }| {
            bytes.truncate(left);
            left -= bytes.len();
            Chunk { stream, bytes }
        });
        let swallowed = chunk.as_ref().is_ok_and(|chunk| chunk.bytes.is_empty());
        std::future::ready((!swallowed).then_some(chunk))
    });
    cut.boxed()
}

/// Passes on `left` bytes, then closes its output.
struct CutInput {
    stdin: Option<BoxWrite>,
    left: u64,
    lost: Option<Arc<watch::Sender<bool>>>,
}

impl AsyncWrite for CutInput {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let Some(stdin) = &mut self.stdin else { return Poll::Ready(Ok(bytes.len())) };
        if most == 0 && !bytes.is_empty() {
            self.stdin = None;
            let Some(lost) = &self.lost else { return Poll::Ready(Ok(bytes.len())) };
            lost.send_replace(true);
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let written = stdin.as_mut().poll_write(context, &bytes[..most]);
        if let Poll::Ready(Ok(length)) = &written {
            self.left -= *length as u64;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => stdin.as_mut().poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => stdin.as_mut().poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// Kills nothing once the link is lost.
struct CutControl {
    inner: Box<dyn ProcessControl>,
    lost: watch::Receiver<bool>,
}

#[async_trait]
impl ProcessControl for CutControl {
    fn kill(&self) -> Option<i32> {
        if *self.lost.borrow() { None } else { self.inner.kill() }
    }

    async fn has_ended(&self, pid: i32) -> bool {
        self.inner.has_ended(pid).await
    }

    async fn resize(&self, size: TerminalSize) -> Result<()> {
        self.inner.resize(size).await
    }
}

#[cfg(test)]
mod tests {
    use hostlink_core::{ConnectorArguments, Context, Stdin};

    use super::*;
    use crate::SpawnOnly;

    fn cut(loss: Loss, after: u64) -> Link {
        let whole: &[&str] = &[];
        let whole = Box::new(SpawnOnly::without(whole).unwrap());
        let link = Link::new(whole, "whole", Context::default());
        Link::new(Box::new(Cut::new(link, loss, after)), "cut", Context::default())
    }

    async fn count(link: &Link) -> Result<Vec<u8>> {
        let arguments = ConnectorArguments::new().with_stdin(Stdin::bytes(vec![b'x'; 1_000_000]));
        let counted = link.run_shell_command("wc -c; echo end", &arguments).await;
        counted.map(|output| output.stdout())
    }

    #[tokio::test]
    async fn input_ends_early_without_an_error() {
        let counted = count(&cut(Loss::Input, 70_000)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&counted), "70000\nend\n");
    }

    #[tokio::test]
    async fn a_lost_link_is_an_error_and_stays_lost() {
        let link = cut(Loss::Link, 70_000);
        assert_eq!(count(&link).await.unwrap_err().kind(), ErrorKind::LinkLost);
        assert_eq!(count(&link).await.unwrap_err().kind(), ErrorKind::LinkLost);
    }

    #[tokio::test]
    async fn output_ends_early_as_if_it_were_whole() {
        let link = cut(Loss::Output, 70_000);
        let line = "head -c 1000000 /dev/zero; exit 3";
        let output = link.run_shell_command(line, &ConnectorArguments::new()).await.unwrap();
        assert!(output.stdout().len() < 70_000 && output.stdout().len() > 60_000);
        assert_eq!(output.exit_code(), Some(3));
    }
}
