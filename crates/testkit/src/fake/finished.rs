//! A process that has already ended.

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use hostlink_core::{Chunk, CommandOutput, ExitStatus, NoControl, Process, Script, Stream};

/// Returns a process that has already ended with `output`, for a connection that runs nothing. It
/// announces itself as `script` would have.
#[must_use]
pub fn finished(script: &Script, output: CommandOutput) -> Process {
    let announcement = Bytes::from(script.announcement());
    let status = output.status().unwrap_or(ExitStatus::Code(0));
    let announced = [Stream::Stdout, Stream::Stderr]
        .map(|stream| Chunk { stream, bytes: announcement.clone() });
    let chunks: Vec<Chunk> = announced.into_iter().chain(output.chunks()).collect();
    Process {
        stdin: Some(Box::pin(tokio::io::sink())),
        output: stream::iter(chunks.into_iter().map(Ok)).boxed(),
        exit: Box::pin(async move { Ok(status) }),
        control: Box::new(NoControl),
        terminal: None,
    }
}
