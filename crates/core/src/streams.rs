//! Reads of pipes and terminals as the chunks of a [`Process`](crate::Process).

use std::io;

use futures::stream::{BoxStream, StreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::process::{Chunk, Stream};

/// As much as is read at once.
const BUFFER: usize = 64 * 1024;

/// Input/output error, the same number on every Unix.
const EIO: i32 = 5;

/// What `reader` gives, as output of `stream`.
pub fn chunks(
    stream: Stream,
    reader: impl AsyncRead + Send + 'static,
) -> BoxStream<'static, io::Result<Chunk>> {
    let reader = Box::pin(ReaderStream::with_capacity(reader, BUFFER));
    reader.map(move |read| read.map(|bytes| Chunk { stream, bytes })).boxed()
}

/// What the near end of a pseudo-terminal gives. Reading one that nobody holds any more fails with EIO (pty(7)): that is
/// its end.
pub fn until_hang_up(
    reader: impl AsyncRead + Send + 'static,
) -> BoxStream<'static, io::Result<Chunk>> {
    let goes_on = |read: &io::Result<Chunk>| {
        let hung_up = read.as_ref().is_err_and(|error| error.raw_os_error() == Some(EIO));
        std::future::ready(!hung_up)
    };
    chunks(Stream::Stdout, reader).take_while(goes_on).boxed()
}
