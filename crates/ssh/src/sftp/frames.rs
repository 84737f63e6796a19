//! Guards the client against a server that does not speak SFTP.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// Passes on packets that are valid, whole but for content, which is passed on in parts.
///
/// The package trusts every length and count: a wrong one would make it allocate gigabytes, which
/// ends the process. Text that a login file writes before SFTP is an error, too.
pub(super) struct Frames {
    /// The bytes of a packet's content that have yet to arrive.
    left: usize,
    is_first: bool,
    sizes: Arc<OnceLock<Sizes>>,
}

/// The sizes of requests that a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) read: u32,
    pub(super) write: u32,
}

impl Sizes {
    /// The sizes that the package uses for a server that does not report its limits
    /// (`OPENSSH_PORTABLE_DEFAULT_DOWNLOAD_BUFLEN` in openssh-sftp-client-lowlevel).
    pub(super) const USUAL: Self = Self { read: 20 * 1024, write: 20 * 1024 };

    /// Returns what the server reports, within reason.
    fn reported(read: u64, write: u64) -> Self {
        let within = |limit: u64, usual| match u32::try_from(limit).unwrap_or(LARGEST) {
            // The server has no limit.
            0 => usual,
            limit => limit.clamp(SMALLEST, LARGEST),
        };
        Self { read: within(read, Self::USUAL.read), write: within(write, Self::USUAL.write) }
    }
}

/// The limit of OpenSSH's server: more would not fit in its packets.
const LARGEST: u32 = 255 * 1024;
/// Smaller requests would be too many.
const SMALLEST: u32 = 4 * 1024;

/// The length of a packet's length and type.
const HEAD: usize = 5;
/// The limit of OpenSSH's own client (SFTP_MAX_MSG_LENGTH in sftp-common.h), and the header.
const LONGEST: usize = 256 * 1024 + 1024;
const LONGEST_VERSION: usize = 4096;
/// The longest handle (draft-ietf-secsh-filexfer-02, section 6.3).
const LONGEST_HANDLE: usize = 256;

const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

/// The length of an answer to statvfs@openssh.com (OpenSSH's PROTOCOL, section 4.4): 11 numbers.
const STATVFS: usize = 11 * 8;

impl Frames {
    pub(super) fn new() -> Self {
        Self { left: 0, is_first: true, sizes: Arc::default() }
    }

    /// Returns the sizes, which are set when the server reports its limits.
    pub(super) fn sizes(&self) -> Arc<OnceLock<Sizes>> {
        self.sizes.clone()
    }

    fn allows(&self, kind: u8, length: usize) -> bool {
        match kind {
            VERSION => self.is_first && (5..=LONGEST_VERSION).contains(&length),
            // Type, request and the data's own length.
            DATA => !self.is_first && (9..=LONGEST).contains(&length),
            STATUS | HANDLE | NAME | ATTRS | EXTENDED_REPLY => {
                !self.is_first && (5..=LONGEST).contains(&length)
            }
            _ => false,
        }
    }
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Bytes>> {
        if self.left > 0 && !bytes.is_empty() {
            let part = bytes.split_to(self.left.min(bytes.len()));
            self.left -= part.len();
            return Ok(Some(part.freeze()));
        }
        let Some(&[a, b, c, d, kind]) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if !self.allows(kind, length) {
            return Err(senseless(bytes));
        }
        if kind == DATA {
            self.left = length - 1;
        } else if bytes.len() < length + 4 {
            bytes.reserve(length + 4 - bytes.len());
            return Ok(None);
        }
        self.is_first = false;
        let packet = bytes.split_to(if kind == DATA { HEAD } else { length + 4 });
        if kind == DATA {
            return Ok(Some(packet.freeze()));
        }
        let mended = check_body(kind, &packet[HEAD..], &self.sizes);
        let mended = mended.ok_or_else(|| senseless(&packet))?;
        Ok(Some(mended.map_or_else(|| packet.freeze(), Bytes::from)))
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Bytes>> {
        match self.decode(bytes)? {
            None if bytes.has_remaining() => Err(io::ErrorKind::UnexpectedEof.into()),
            decoded => Ok(decoded),
        }
    }
}

fn senseless(packet: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(&packet[..packet.len().min(64)]);
    let message = format!("it does not speak SFTP, but sent {said:?}…");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Checks the strings in a packet; `None` if they are longer than the packet. Returns a new packet
/// if the package would not accept this one.
fn check_body(kind: u8, mut body: &[u8], sizes: &OnceLock<Sizes>) -> Option<Option<Vec<u8>>> {
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
            // Old servers send no text, which draft-ietf-secsh-filexfer-02, section 7, has from
            // version 3 on.
            let mut text = || if body.is_empty() { Some(&[][..]) } else { string(&mut body) };
            let (said, language) = (text()?, text()?);
            return Some(Some(status(start, code, said, language)));
        }
        NAME => return names(start, body).map(Some),
        // What is asked for once the session is open.
        EXTENDED_REPLY if sizes.get().is_some() && body.len() == STATVFS => {}
        EXTENDED_REPLY => {
            // The answer to the request for the limits. The package panics, or wraps, if
            // a packet may have less than 300 bytes (`Sftp::set_limits`).
            let [_, read, write, handles] = limits(body)?;
            let sizes = *sizes.get_or_init(|| Sizes::reported(read, write));
            let limits = [LONGEST as u64, sizes.read.into(), sizes.write.into(), handles];
            let limits = limits.map(u64::to_be_bytes).concat();
            return Some(Some(packet(&[&[EXTENDED_REPLY], start, &limits].concat())));
        }
        _ => {}
    }
    Some(None)
}

/// Returns a packet of names that the package accepts: with U+FFFD for bytes that are not UTF-8,
/// and without the line of `ls`.
fn names(request: &[u8], mut body: &[u8]) -> Option<Vec<u8>> {
    let count = number(&mut body)?;
    let mut names = [&[NAME], request, &count.to_be_bytes()].concat();
    for _ in 0..count {
        let name = String::from_utf8_lossy(string(&mut body)?);
        string(&mut body)?;
        names.extend_from_slice(&be(name.len()));
        names.extend_from_slice(name.as_bytes());
        names.extend_from_slice(&be(0));
        names.extend_from_slice(attributes(&mut body)?);
    }
    Some(packet(&names))
}

/// Takes a file's attributes (draft-ietf-secsh-filexfer-02, section 5).
fn attributes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = *bytes;
    let flags = number(bytes)?;
    // Size, owner, permissions, times.
    for (flag, length) in [(1, 8), (2, 8), (4, 4), (8, 8)] {
        if flags & flag != 0 {
            bytes.split_off(..length)?;
        }
    }
    if flags & 0x8000_0000 != 0 {
        for _ in 0..number(bytes)? {
            string(bytes)?;
            string(bytes)?;
        }
    }
    Some(&start[..start.len() - bytes.len()])
}

/// Returns the four numbers of an answer to limits@openssh.com (OpenSSH's PROTOCOL, section 4.8).
fn limits(body: &[u8]) -> Option<[u64; 4]> {
    let (numbers, _) = body.as_chunks();
    let numbers: [[u8; 8]; 4] = numbers.try_into().ok()?;
    Some(numbers.map(u64::from_be_bytes))
}

/// Takes a string, which follows its length.
fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    bytes.split_off(..length as usize)
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.split_off(..4)?.try_into().ok()?))
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

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use tokio::io::AsyncRead;
    use tokio_util::codec::FramedRead;

    use super::*;

    async fn pass(bytes: &[u8]) -> io::Result<Vec<u8>> {
        pass_through(Frames::new(), bytes).await
    }

    async fn pass_through(frames: Frames, bytes: &[u8]) -> io::Result<Vec<u8>> {
        // One byte at a time, so that every packet is in pieces.
        let packets = FramedRead::new(in_pieces(bytes), frames);
        let packets: Vec<Bytes> = packets.try_collect().await?;
        Ok(packets.concat())
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
    async fn names_are_utf_8_and_alone() {
        let all = |name: &str, long: &str, more: &[u8]| {
            let text = |text: &str| [&be(text.len()), text.as_bytes()].concat();
            packet(&[&[NAME, 0, 0, 0, 1, 0, 0, 0, 1], &*text(name), &*text(long), more].concat())
        };
        let attributes = [&[0x80, 0, 0, 4, 0, 0, 0x81, 0xa4, 0, 0, 0, 1][..], &be(1), b"n", &be(0)];
        let attributes = attributes.concat();
        let mut said = all("n?me", "-rw-r--r-- n?me", &attributes);
        for byte in said.iter_mut().filter(|byte| **byte == b'?') {
            *byte = 0xff;
        }
        let passed = pass(&[&HELLO[..], &said].concat()).await.unwrap();
        assert_eq!(passed, [&HELLO[..], &all("n\u{fffd}me", "", &attributes)].concat());
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
    async fn limits_are_kept_within_reason() {
        let reply = |numbers: [u64; 4]| {
            let numbers = numbers.map(u64::to_be_bytes).concat();
            [&[0, 0, 0, 37, 201, 0, 0, 0, 1][..], &numbers].concat()
        };
        let told = |read, write| Sizes { read, write };
        for ((read, write), sizes) in [
            ((0, 0), Sizes::USUAL),
            ((1, u64::MAX), told(4096, 261_120)),
            ((261_120, 32_768), told(261_120, 32_768)),
        ] {
            let frames = Frames::new();
            let told = frames.sizes();
            let said = [&HELLO[..], &reply([0, read, write, 7])].concat();
            let passed = pass_through(frames, &said).await.unwrap();
            assert_eq!(told.get(), Some(&sizes));
            let limits = reply([LONGEST as u64, sizes.read.into(), sizes.write.into(), 7]);
            assert_eq!(passed, [&HELLO[..], &limits].concat());
        }
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
            // Limits that are none.
            &[&HELLO[..], &[0, 0, 0, 9, 201, 0, 0, 0, 1, 0, 0, 0, 1]].concat(),
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
