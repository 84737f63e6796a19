//! Guards the client against a server that does not speak SFTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Passes on what a server says as long as its packets are such as may be.
///
/// The client library takes every length and count for true: a wrong one would make it allocate
/// gigabytes, which ends the process. What a login file writes in the place of SFTP ends here, too.
/// Of packets, only content is passed on in parts.
pub(super) struct Frames<R> {
    inner: R,
    /// The packet that comes, from its length on.
    packet: Vec<u8>,
    /// How much of `packet` has been passed on; it is whole, or content's head, if `is_checked`.
    passed: usize,
    is_checked: bool,
    /// How much content is to come behind the head.
    left: usize,
    is_first: bool,
}

/// The length of a packet's length and type.
const HEAD: usize = 5;
/// As much as OpenSSH's own client takes (SFTP_MAX_MSG_LENGTH in sftp-common.h), with room for the
/// header.
const LONGEST: usize = 256 * 1024 + 1024;
const LONGEST_VERSION: usize = 4096;
/// As long as a handle may be (draft-ietf-secsh-filexfer-02, section 6.3).
const LONGEST_HANDLE: usize = 256;

// Of the answers, names are missing: nothing is asked that has them.
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

impl<R> Frames<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, packet: Vec::new(), passed: 0, is_checked: false, left: 0, is_first: true }
    }

    /// Checks what of the packet is there. How much more there must be of it; 0 if it may be passed
    /// on.
    fn check(&mut self) -> io::Result<usize> {
        let Some((head, body)) = self.packet.split_first_chunk::<HEAD>() else {
            return Ok(HEAD - self.packet.len());
        };
        let [a, b, c, d, kind] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let allowed = match kind {
            VERSION => self.is_first && (5..=LONGEST_VERSION).contains(&length),
            // Type, request and the data's own length.
            DATA => !self.is_first && (9..=LONGEST).contains(&length),
            STATUS | HANDLE | ATTRS | EXTENDED_REPLY => {
                !self.is_first && (5..=LONGEST).contains(&length)
            }
            _ => false,
        };
        if !allowed {
            return Err(senseless(head));
        }
        if kind == DATA {
            self.left = length - 1;
        } else if body.len() < length - 1 {
            return Ok(length - 1 - body.len());
        } else if let Some(mended) =
            check_body(kind, body).ok_or_else(|| senseless(&self.packet))?
        {
            self.packet = mended;
        }
        (self.is_checked, self.is_first) = (true, false);
        Ok(0)
    }
}

fn senseless(packet: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(&packet[..packet.len().min(64)]);
    let message = format!("it does not speak SFTP, but says {said:?}…");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Checks the strings in a packet; `None` if they do not fit in. A status with text that the
/// library would not take is made anew.
fn check_body(kind: u8, mut body: &[u8]) -> Option<Option<Vec<u8>>> {
    let start = body.split_off(..4)?;
    match kind {
        VERSION => {
            while !body.is_empty() {
                string(&mut body)?;
            }
        }
        HANDLE if string(&mut body)?.len() > LONGEST_HANDLE => return None,
        STATUS => {
            let code = body.split_off(..4)?;
            // Old servers send no text (draft-ietf-secsh-filexfer-02, section 7, has it from
            // version 3 on).
            let mut text = || if body.is_empty() { Some(&[][..]) } else { string(&mut body) };
            let (said, language) = (text()?, text()?);
            return Some(Some(status(start, code, said, language)));
        }
        ATTRS => {
            let (flags, rest) = body.split_first_chunk::<4>()?;
            let flags = u32::from_be_bytes(*flags);
            if flags & EXTENDED != 0 {
                let fields = [(1, 8), (2, 8), (4, 4), (8, 8)];
                let there = fields.iter().filter(|(flag, _)| flags & flag != 0);
                let rest = rest.get(..there.map(|(_, length)| length).sum())?;
                let flags = (flags & !EXTENDED).to_be_bytes();
                return Some(Some(packet(&[&[ATTRS], start, &flags, rest].concat())));
            }
        }
        _ => {}
    }
    Some(None)
}

/// In a file's attributes: names and values follow behind those that have numbers. Nobody reads
/// them.
const EXTENDED: u32 = 0x8000_0000;

/// Takes a string, which has its length before it.
fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(bytes.split_off(..4)?.try_into().ok()?);
    bytes.split_off(..length as usize)
}

fn status(request: &[u8], code: &[u8], said: &[u8], language: &[u8]) -> Vec<u8> {
    let mut body = [&[STATUS][..], request, code].concat();
    for text in [said, language] {
        let text = String::from_utf8_lossy(text);
        body.extend_from_slice(&be(text.len()));
        body.extend_from_slice(text.as_bytes());
    }
    packet(&body)
}

fn packet(body: &[u8]) -> Vec<u8> {
    [&be(body.len()), body].concat()
}

fn be(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a packet is much shorter").to_be_bytes()
}

impl<R: AsyncRead + Unpin> AsyncRead for Frames<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.is_checked && this.passed < this.packet.len() {
                let rest = &this.packet[this.passed..];
                let passing = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..passing]);
                this.passed += passing;
                return Poll::Ready(Ok(()));
            }
            if this.is_checked && this.left > 0 {
                let before = buffer.filled().len();
                if this.left >= buffer.remaining() {
                    ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
                } else {
                    let mut part = ReadBuf::new(buffer.initialize_unfilled_to(this.left));
                    ready!(Pin::new(&mut this.inner).poll_read(context, &mut part))?;
                    let came = part.filled().len();
                    buffer.advance(came);
                }
                this.left -= buffer.filled().len() - before;
                return Poll::Ready(Ok(()));
            }
            if this.is_checked {
                (this.passed, this.is_checked) = (0, false);
                this.packet.clear();
            }
            let missing = this.check()?;
            if missing == 0 {
                continue;
            }
            let mut bytes = [0; 4096];
            let mut part = ReadBuf::new(&mut bytes[..missing.min(4096)]);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.packet.extend_from_slice(part.filled());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn pass(bytes: &[u8]) -> io::Result<Vec<u8>> {
        // One byte at a time, so that every packet is in pieces.
        let mut frames = Frames::new(in_pieces(bytes));
        let mut passed = Vec::new();
        frames.read_to_end(&mut passed).await?;
        Ok(passed)
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
        let packets = [
            &[0, 0, 0, 15, 2, 0, 0, 0, 3, 0, 0, 0, 1, b'x', 0, 0, 0, 1, b'1'][..],
            &[0, 0, 0, 12, 103, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9],
            &[0, 0, 0, 9, 103, 0, 0, 0, 1, 0, 0, 0, 0],
            &[0, 0, 0, 10, 102, 0, 0, 0, 1, 0, 0, 0, 1, 5],
            &[0, 0, 0, 19, 101, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, b'n', 0, 0, 0, 1, b'e'],
            &[0, 0, 0, 9, 105, 0, 0, 0, 1, 0, 0, 0, 0],
        ];
        let packets = packets.concat();
        assert_eq!(pass(&packets).await.unwrap(), packets);
    }

    #[tokio::test]
    async fn a_status_has_text_that_the_library_takes() {
        let status = |length, text: &[u8]| {
            [&[0, 0, 0, length, 101, 0, 0, 0, 1, 0, 0, 0, 4][..], text].concat()
        };
        let mended = status(20, "\0\0\0\u{3}\u{fffd}\0\0\0\0".as_bytes());
        let empty = status(17, &[0; 8]);
        for (said, passed) in [
            (status(18, &[0, 0, 0, 1, 0xff, 0, 0, 0, 0]), mended),
            (status(9, &[]), empty.clone()),
            (status(13, &[0; 4]), empty),
        ] {
            let all = pass(&[&HELLO[..], &said, &said].concat()).await.unwrap();
            assert_eq!(all, [&HELLO[..], &passed, &passed].concat());
        }
    }

    #[tokio::test]
    async fn extended_attributes_are_left_out() {
        let said = [0, 0, 0, 17, 105, 0, 0, 0, 1, 128, 0, 0, 4, 0, 0, 1, 0, 255, 255, 255, 255];
        let passed = [0, 0, 0, 13, 105, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 1, 0];
        let all = pass(&[&HELLO[..], &said, &said].concat()).await.unwrap();
        assert_eq!(all, [&HELLO[..], &passed, &passed].concat());
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
            // Names, and what is none.
            &[&HELLO[..], &[0, 0, 0, 9, 104, 0, 0, 0, 1, 255, 255, 255, 255]].concat(),
            &[&HELLO[..], &[0, 0, 0, 9, 104, 0, 0, 0, 1, 0, 0, 0, 1]].concat(),
            &[&HELLO[..], &[0, 0, 0, 9, 200, 0, 0, 0, 1, 0, 0, 0, 1]].concat(),
            // Strings that are longer than their packet.
            &[0, 0, 0, 9, 2, 0, 0, 0, 3, 255, 255, 255, 255],
            &[&HELLO[..], &[0, 0, 0, 9, 102, 0, 0, 0, 1, 255, 255, 255, 255]].concat(),
            &[&HELLO[..], &[0, 0, 0, 13, 101, 0, 0, 0, 1, 0, 0, 0, 4, 255, 255, 255, 255]].concat(),
        ] {
            let error = pass(bytes).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
    }
}
