//! Both outputs of a command on one stream: a header of 8 bytes says whose the next bytes are, and
//! how many.

use std::io;

use bytes::{Buf, Bytes};
use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::streams::chunks;
use hostlink_core::{Chunk, Stream};
use tokio::io::AsyncRead;

/// The output in the frames of a stream. Frames are not gathered: a piece of one is handed on as it
/// is.
///
/// Where a command leaves input unread, the engine may close the stream before it has read that
/// itself, which resets it. With `reset_is_end` that is the stream's end, unless it cuts a frame
/// off: a socket of this machine gives what was sent first (unix(7)). On any other way a reset may
/// also be the loss of the link.
pub(crate) fn frames(
    reader: impl AsyncRead + Send + 'static,
    reset_is_end: bool,
) -> BoxStream<'static, io::Result<Chunk>> {
    let raw = chunks(Stream::Stdout, reader);
    let reading = Frames { raw, rest: Bytes::new(), frame: Frame::default(), reset_is_end };
    let next = |reading: Option<Frames>| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(reading))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    };
    stream::unfold(Some(reading), next).boxed()
}

struct Frames {
    raw: BoxStream<'static, io::Result<Chunk>>,
    rest: Bytes,
    frame: Frame,
    reset_is_end: bool,
}

const HEADER: usize = 8;

/// Where in a frame the stream is.
#[derive(Default)]
struct Frame {
    header: [u8; HEADER],
    /// How much of the header is there.
    known: usize,
    /// How much of what follows it is still to come.
    left: usize,
}

impl Frame {
    /// Takes bytes of the header; true if it is whole now.
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

    /// Whose output the frame is.
    fn stream(&self) -> io::Result<Stream> {
        match self.header[0] {
            // 0 is input, which an engine may echo; 3 is what the engine itself has to say.
            0 | 1 => Ok(Stream::Stdout),
            2 | 3 => Ok(Stream::Stderr),
            other => {
                let message =
                    format!("the engine sent a frame of type {other}, which there is not");
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

    /// A reader that gives `size` bytes at a time.
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

    /// The kernel's own behaviour: a socket that is closed with input in it resets the other end,
    /// which reads first what was written.
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
        // What such a header promises is not set aside.
        let (_, _, error) = read(&[1, 0, 0, 0, 255, 255, 255, 255], 64).await;
        assert_eq!(error, Some(io::ErrorKind::UnexpectedEof));
    }
}
