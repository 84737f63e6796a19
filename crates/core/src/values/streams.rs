//! Reads pipes and terminals in chunks, for a [`Process`](crate::Process).

use std::io;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::values::io::{Chunk, Stream};

/// Bytes per read, at first.
const BUFFER: usize = 64 * 1024;

/// Bytes per read if there is much output.
const LARGEST: usize = 256 * 1024;

/// Input/output error, the same number on every Unix.
const EIO: i32 = 5;

/// Returns the output that `reader` reads, as chunks of `stream`.
pub fn chunks(
    stream: Stream,
    reader: impl AsyncRead + Send + 'static,
) -> BoxStream<'static, io::Result<Chunk>> {
    let reading = Reading { reader: Box::pin(reader), buffer: BytesMut::new(), size: BUFFER };
    let read = move |mut reading: Reading<_>| async move {
        let bytes = reading.next().await?;
        Ok((!bytes.is_empty()).then_some((Chunk { stream, bytes }, reading)))
    };
    stream::try_unfold(reading, read).boxed()
}

struct Reading<R> {
    reader: Pin<Box<R>>,
    buffer: BytesMut,
    size: usize,
}

impl<R: AsyncRead> Reading<R> {
    /// Returns `None` at the end.
    async fn next(&mut self) -> io::Result<Bytes> {
        // If the last chunk was dropped, its memory is reused as a whole. Otherwise the rest of it
        // is used, unless reads would be small.
        if !self.buffer.try_reclaim(self.size) && self.buffer.capacity() < self.size / 2 {
            self.buffer.reserve(self.size);
        }
        let came = self.reader.read_buf(&mut self.buffer).await?;
        if came >= self.size {
            self.size = LARGEST.min(self.size * 2);
        }
        Ok(self.buffer.split().freeze())
    }
}

/// Returns the output of a pseudo-terminal. When no process has its other end open, a read fails
/// with EIO (pty(7)): that is the end.
pub fn until_hang_up(
    reader: impl AsyncRead + Send + 'static,
) -> BoxStream<'static, io::Result<Chunk>> {
    let goes_on = |read: &io::Result<Chunk>| {
        let hung_up = read.as_ref().is_err_and(|error| error.raw_os_error() == Some(EIO));
        std::future::ready(!hung_up)
    };
    chunks(Stream::Stdout, reader).take_while(goes_on).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_bytes_come_whether_chunks_are_kept_or_not() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        for keeps in [false, true] {
            let mut output = chunks(Stream::Stdout, io::Cursor::new(bytes.clone()));
            let (mut all, mut kept, mut most) = (Vec::new(), Vec::new(), 0);
            while let Some(chunk) = output.next().await {
                let chunk = chunk.unwrap();
                most = most.max(chunk.bytes.len());
                all.extend_from_slice(&chunk.bytes);
                kept.extend(keeps.then_some(chunk));
            }
            let kept: Vec<u8> = kept.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
            assert!(all == bytes && (!keeps || kept == bytes), "kept: {keeps}");
            assert!((LARGEST..=2 * LARGEST).contains(&most), "{most}");
        }
    }
}
