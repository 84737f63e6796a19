//! Guards the client against a server that does not speak SFTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Passes on what a server says as long as its packets have lengths that they may have.
///
/// The client library takes every length for true: a wrong one would make it allocate gigabytes, or panic. What a
/// login file writes in the place of SFTP ends here.
pub(super) struct Frames<R> {
    inner: R,
    /// The length and the type of the packet that begins.
    head: Vec<u8>,
    /// How much of the packet's body is to come.
    left: usize,
    is_first: bool,
}

/// The length of a packet's length and type.
const HEAD: usize = 5;
/// As much as OpenSSH's own client takes (SFTP_MAX_MSG_LENGTH in sftp-common.h), with room for the header.
const LONGEST: usize = 256 * 1024 + 1024;
const LONGEST_VERSION: usize = 4096;
const VERSION: u8 = 2;
const DATA: u8 = 103;

impl<R> Frames<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, head: Vec::with_capacity(HEAD), left: 0, is_first: true }
    }

    fn check(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let (head, rest) = bytes.split_at((HEAD - self.head.len()).min(bytes.len()));
            self.head.extend_from_slice(head);
            bytes = rest;
            if self.head.len() == HEAD {
                self.begin()?;
            }
        }
        Ok(())
    }

    /// Begins with the packet of which the head is there.
    fn begin(&mut self) -> io::Result<()> {
        let [a, b, c, d, kind] = self.head[..] else { unreachable!("the head is whole") };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let allowed = match kind {
            VERSION => self.is_first && (5..=LONGEST_VERSION).contains(&length),
            // Type, request and the data's own length.
            DATA => !self.is_first && (9..=LONGEST).contains(&length),
            _ => !self.is_first && (5..=LONGEST).contains(&length),
        };
        if !allowed {
            let said = String::from_utf8_lossy(&self.head);
            let message = format!("it does not speak SFTP, but says {said:?}…");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        (self.left, self.is_first) = (length - 1, false);
        self.head.clear();
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Frames<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        let checked = this.check(&buffer.filled()[before..]);
        if checked.is_err() {
            buffer.set_filled(before);
            return Poll::Ready(checked);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn pass(bytes: &[u8]) -> io::Result<usize> {
        // One byte at a time, so that every head is in pieces.
        let mut frames = Frames::new(in_pieces(bytes));
        let mut passed = Vec::new();
        frames.read_to_end(&mut passed).await
    }

    fn in_pieces(bytes: &[u8]) -> impl AsyncRead + Unpin + use<> {
        let (reader, mut writer) = tokio::io::duplex(1);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            // The reader may have had enough.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await;
        });
        reader
    }

    const HELLO: [u8; 9] = [0, 0, 0, 5, 2, 0, 0, 0, 3];

    #[tokio::test]
    async fn packets_pass_unchanged() {
        let reply = [0, 0, 0, 9, 103, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(pass(&[&HELLO[..], &reply, &reply].concat()).await.unwrap(), 9 + 2 * 13);
    }

    #[tokio::test]
    async fn text_and_wrong_lengths_are_errors() {
        for bytes in [
            &b"Welcome to web1\n"[..],
            &[0, 0, 0, 5, 101, 0, 0, 0, 3],
            &[&HELLO[..], &HELLO].concat(),
            &[&HELLO[..], &[0, 0, 0, 4, 101]].concat(),
            &[&HELLO[..], &[0, 0, 0, 8, 103]].concat(),
            &[&HELLO[..], &[127, 0, 0, 0, 103]].concat(),
        ] {
            let error = pass(bytes).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
    }
}
