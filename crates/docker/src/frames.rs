//! Both outputs of a command on one stream: a header of 8 bytes says which output the next bytes
//! belong to, and how many there are.

use std::io;

use bytes::{Buf, Bytes};
use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::streams::chunks;
use hostlink_core::{Chunk, Stream};
use tokio::io::AsyncRead;

/// Returns the output in the frames of a stream. A partial frame is passed on as it arrives.
///
/// If a command leaves input unread, the engine may close the stream before reading that input
/// itself, which resets the stream. With `reset_is_end` that counts as the stream's end, unless it
/// cuts off a frame: a socket of this machine delivers earlier data first (unix(7)). On other
/// routes a reset may also mean a lost link.
pub(crate) fn frames(
    reader: impl AsyncRead + Send + 'static,
    reset_is_end: bool,
) -> BoxStream<'static, io::Result<Chunk>> {
    let raw = chunks(Stream::Stdout, reader);
    let reading = Frames { raw, rest: Bytes::new(), frame: Frame::default(), reset_is_end };
    let next = |mut reading: Frames| async move {
        let chunk = reading.next().await?;
        Ok(chunk.map(|chunk| (chunk, reading)))
    };
    stream::try_unfold(reading, next).boxed()
}

struct Frames {
    raw: BoxStream<'static, io::Result<Chunk>>,
    rest: Bytes,
    frame: Frame,
    reset_is_end: bool,
}

const HEADER: usize = 8;

/// The position of the stream in a frame.
#[derive(Default)]
struct Frame {
    header: [u8; HEADER],
    /// The bytes of the header that have arrived.
    known: usize,
    /// The bytes of the frame that are left.
    left: usize,
}

impl Frame {
    /// Reads bytes of the header. Returns true if it is complete.
    fn take_header(&mut self, bytes: &mut Bytes) -> bool {
        let length = bytes.len().min(HEADER - self.known);
        bytes.copy_to_slice(&mut self.header[self.known..self.known + length]);
        self.known += length;
        if self.known < HEADER {
            return false;
        }
        let [_, _, _, _, length @ ..] = self.header;
        self.left = u32::from_be_bytes(length) as usize;
        true
    }

    /// Returns the output that the frame belongs to.
    fn stream(&self) -> io::Result<Stream> {
        match self.header[0] {
            // 0 is input, which an engine may echo; 3 is a message of the engine itself.
            0 | 1 => Ok(Stream::Stdout),
            2 | 3 => Ok(Stream::Stderr),
            other => {
                let message = format!("the engine sent a frame of unknown type {other}");
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
        }
    }
}

impl Frames {
    fn is_end(&self, error: &io::Error) -> bool {
        let is_reset = error.kind() == io::ErrorKind::ConnectionReset;
        is_reset && self.reset_is_end && self.frame.known == 0
    }

    async fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if self.rest.is_empty() {
                match self.raw.next().await {
                    Some(Ok(chunk)) => self.rest = chunk.bytes,
                    Some(Err(error)) if self.is_end(&error) => return Ok(None),
                    Some(Err(_)) if self.frame.known > 0 => {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    Some(Err(error)) => return Err(error),
                    None if self.frame.known == 0 => return Ok(None),
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
            if self.frame.known < HEADER && !self.frame.take_header(&mut self.rest) {
                continue;
            }
            let stream = self.frame.stream()?;
            let bytes = self.rest.split_to(self.rest.len().min(self.frame.left));
            self.frame.left -= bytes.len();
            if self.frame.left == 0 {
                self.frame = Frame::default();
            }
            if !bytes.is_empty() {
                return Ok(Some(Chunk { stream, bytes }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0][..], &length, text].concat()
    }

    /// Reads `size` bytes at a time.
    async fn read(bytes: &[u8], size: usize) -> (Vec<u8>, Vec<u8>, Option<io::ErrorKind>) {
        let (mut far, near) = tokio::io::duplex(size);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut far, &bytes).await });
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = frames(near, false);
        while let Some(chunk) = output.next().await {
            match chunk {
                Ok(Chunk { stream: Stream::Stdout, bytes }) => out.extend_from_slice(&bytes),
                Ok(Chunk { bytes, .. }) => err.extend_from_slice(&bytes),
                Err(error) => return (out, err, Some(error.kind())),
            }
        }
        (out, err, None)
    }

    #[tokio::test]
    async fn frames_are_put_together_wherever_they_are_cut() {
        let all = [frame(1, b"\0\x01\x02one"), frame(2, b"two"), frame(1, b""), frame(1, b"three")]
            .concat();
        for size in 1..=all.len() {
            let expected = (b"\0\x01\x02onethree".to_vec(), b"two".to_vec(), None);
            assert_eq!(read(&all, size).await, expected, "{size}");
        }
    }

    /// The kernel's own behavior: closing a socket with unread input resets the other end, which
    /// first reads what was written.
    #[tokio::test]
    async fn a_stream_that_is_closed_with_input_in_it_ends_where_nothing_is_lost() {
        use tokio::io::AsyncWriteExt;
        for (text, reset_is_end, expected) in [
            (frame(1, b"all"), true, None),
            (frame(1, b"all"), false, Some(io::ErrorKind::ConnectionReset)),
            (frame(1, b"all+")[..11].to_vec(), true, Some(io::ErrorKind::UnexpectedEof)),
        ] {
            let (mut far, mut near) = tokio::net::UnixStream::pair().unwrap();
            near.write_all(b"unread").await.unwrap();
            far.write_all(&text).await.unwrap();
            drop(far);
            let mut output = frames(near, reset_is_end);
            assert_eq!(output.next().await.unwrap().unwrap().bytes, "all");
            let end = output.next().await.map(|end| end.unwrap_err().kind());
            assert_eq!(end, expected);
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_off_or_unknown_is_an_error() {
        let cut = frame(1, b"whole").split_last().unwrap().1.to_vec();
        let expected = (b"whol".to_vec(), Vec::new(), Some(io::ErrorKind::UnexpectedEof));
        assert_eq!(read(&cut, 64).await, expected);
        let (_, _, error) = read(&frame(9, b"x"), 64).await;
        assert_eq!(error, Some(io::ErrorKind::InvalidData));
        // The announced size is not allocated.
        let (_, _, error) = read(&[1, 0, 0, 0, 255, 255, 255, 255], 64).await;
        assert_eq!(error, Some(io::ErrorKind::UnexpectedEof));
    }
}
