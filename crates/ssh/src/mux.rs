//! The client's side of OpenSSH's `PROTOCOL.mux`, the protocol of a master's control socket.
//!
//! The package `openssh-mux-client` 0.17.9, on which `openssh` is built, speaks it too, and can
//! forward the agent (`Session::agent`). Sessions are opened here since it lacks two things:
//!
//! - `EstablishedSession::wait` (`src/session.rs`) closes its connection when the exit code
//!   arrives, and the master then drops output that it has not written yet (a mebibyte came back 32
//!   KiB short). Nor can it wait until the channel is closed, before which the host may refuse the
//!   next.
//! - There is no request for a stream to a TCP port (`Request`, `src/request.rs`), which `dial`
//!   makes.

use std::io::{self, ErrorKind::InvalidData, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;

const VERSION: u32 = 4;
const HELLO: u32 = 0x0000_0001;
const NEW_SESSION: u32 = 0x1000_0002;
const ALIVE_CHECK: u32 = 0x1000_0004;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const EXIT_MESSAGE: u32 = 0x8000_0004;
const ALIVE: u32 = 0x8000_0005;
const SESSION_OPENED: u32 = 0x8000_0006;
const TTY_ALLOC_FAIL: u32 = 0x8000_0008;

/// Makes writing to a master that is gone an error instead of a signal. Apple's systems lack the
/// flag; Rust's programs ignore the signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

/// No escape character.
const NO_ESCAPE: u32 = u32::MAX;

/// Longer than any answer of a master.
const LONGEST: usize = 256 * 1024;

/// A connection to a master. A session ends with the connection that requested it.
#[derive(Debug)]
pub(crate) struct Mux {
    stream: UnixStream,
}

/// A request for a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) command: &'a [u8],
    pub(crate) subsystem: bool,
    /// The type of the terminal, if it gets one.
    pub(crate) terminal: Option<&'a str>,
}

/// A master's answer to a request.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The session is open.
    Session,
    /// There is no session, for this reason.
    Refused(String),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    Code(u32),
    /// A signal, or the loss of the connection to the host.
    Unknown,
}

impl Mux {
    /// Connects to the master that listens at `socket`.
    ///
    /// # Errors
    ///
    /// No master listens there.
    pub(crate) async fn connect(socket: &Path) -> io::Result<Self> {
        let mux = Self { stream: UnixStream::connect(socket).await? };
        mux.send(&[number(HELLO), number(VERSION)].concat()).await?;
        let mut hello = Packet::new(mux.receive().await?);
        if hello.number()? != HELLO || hello.number()? != VERSION {
            return Err(io::Error::new(InvalidData, "ssh's mux protocol has an unknown version"));
        }
        Ok(mux)
    }

    /// Returns the master's process id.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub(crate) async fn pid(&self) -> io::Result<u32> {
        self.send(&[number(ALIVE_CHECK), number(0)].concat()).await?;
        let mut answer = Packet::new(self.receive().await?);
        if answer.number()? != ALIVE {
            return Err(unexpected());
        }
        answer.number()?;
        answer.number()
    }

    /// Requests a session on three descriptors, of which the master gets copies.
    ///
    /// # Errors
    ///
    /// The master is gone. The session may have started.
    pub(crate) async fn open(
        &self,
        session: &NewSession<'_>,
        given: &[OwnedFd; 3],
    ) -> io::Result<Opened> {
        let flag = |set: bool| number(u32::from(set));
        let request = [
            &*number(NEW_SESSION),
            &number(0),
            // Reserved.
            &string(b""),
            &flag(session.terminal.is_some()),
            // X11.
            &flag(false),
            // The agent: the master forwards it only if its own configuration says so.
            &flag(true),
            &flag(session.subsystem),
            &number(NO_ESCAPE),
            &string(session.terminal.unwrap_or_default().as_bytes()),
            &string(session.command),
        ];
        self.ask(&request.concat(), given).await
    }

    /// Requests a TCP connection from the host, on a descriptor to read and one to write. The
    /// answer comes when the connection is accepted.
    ///
    /// # Errors
    ///
    /// The master is gone.
    pub(crate) async fn forward_stream(
        &self,
        host: &str,
        port: u16,
        given: &[OwnedFd; 2],
    ) -> io::Result<Opened> {
        let request = [
            &*number(NEW_STDIO_FORWARD),
            &number(0),
            // Reserved.
            &string(b""),
            &string(host.as_bytes()),
            &number(u32::from(port)),
        ];
        self.ask(&request.concat(), given).await
    }

    async fn ask(&self, request: &[u8], given: &[OwnedFd]) -> io::Result<Opened> {
        self.send(request).await?;
        for descriptor in given {
            self.send_descriptor(descriptor.as_fd()).await?;
        }
        let mut answer = Packet::new(self.receive().await?);
        let kind = answer.number()?;
        answer.number()?;
        match kind {
            SESSION_OPENED => Ok(Opened::Session),
            FAILURE | PERMISSION_DENIED => Ok(Opened::Refused(answer.text()?)),
            _ => Err(unexpected()),
        }
    }

    /// Waits for the end of the session. Its output may still be on its way to the descriptors,
    /// which takes this connection.
    pub(crate) async fn ended(&self) -> SessionEnd {
        loop {
            // A connection that ends without a message is the end of the session.
            let Ok(packet) = self.receive().await else { return SessionEnd::Unknown };
            let mut packet = Packet::new(packet);
            match (packet.number(), packet.number(), packet.number()) {
                (Ok(EXIT_MESSAGE), Ok(_), Ok(code)) => return SessionEnd::Code(code),
                (Ok(TTY_ALLOC_FAIL), ..) => {}
                _ => return SessionEnd::Unknown,
            }
        }
    }

    /// Waits until the master has closed the session's channel, once the session has ended.
    pub(crate) async fn closed(&self) {
        while self.receive().await.is_ok() {}
    }

    async fn send(&self, packet: &[u8]) -> io::Result<()> {
        let whole = string(packet);
        let mut rest = &*whole;
        while !rest.is_empty() {
            let write = || self.stream.try_write(rest);
            let written = self.stream.async_io(Interest::WRITABLE, write).await?;
            rest = &rest[written..];
        }
        Ok(())
    }

    /// Sends a descriptor with a meaningless byte, since it cannot be sent alone (`mm_send_fd` in
    /// OpenSSH).
    async fn send_descriptor(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut message = SendAncillaryBuffer::new(&mut space);
            let descriptors = [descriptor];
            if !message.push(SendAncillaryMessage::ScmRights(&descriptors)) {
                return Err(io::Error::other("the descriptor did not fit in the message"));
            }
            let sent = sendmsg(&self.stream, &[IoSlice::new(&[0])], &mut message, NO_SIGNAL);
            sent.map(drop).map_err(io::Error::from)
        };
        self.stream.async_io(Interest::WRITABLE, send).await
    }

    async fn receive(&self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.fill(&mut length).await?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(unexpected());
        }
        let mut packet = vec![0; length];
        self.fill(&mut packet).await?;
        Ok(packet)
    }

    async fn fill(&self, mut rest: &mut [u8]) -> io::Result<()> {
        while !rest.is_empty() {
            let read = || self.stream.try_read(rest);
            let length = self.stream.async_io(Interest::READABLE, read).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rest = &mut rest[length..];
        }
        Ok(())
    }
}

fn number(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Returns the length and the bytes. No packet of ours is near 4 GiB.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn unexpected() -> io::Error {
    io::Error::new(InvalidData, "the ssh master sent an answer that is not in its protocol")
}

/// A packet, read from its start.
struct Packet {
    bytes: Vec<u8>,
    at: usize,
}

impl Packet {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    fn number(&mut self) -> io::Result<u32> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk());
        let number = u32::from_be_bytes(*bytes.ok_or_else(unexpected)?);
        self.at += 4;
        Ok(number)
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.number()? as usize;
        let rest = &self.bytes[self.at..];
        let text = rest.get(..length).ok_or_else(unexpected)?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_is_too_short_is_refused() {
        let mut packet = Packet::new([&number(FAILURE), &*string(b"why")].concat());
        assert_eq!(packet.number().unwrap(), FAILURE);
        assert_eq!(packet.text().unwrap(), "why");
        assert!(packet.number().is_err());
        assert!(Packet::new(vec![0, 0, 0, 9, 1]).text().is_err());
    }

    #[tokio::test]
    async fn what_is_no_master_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        assert!(Mux::connect(&path).await.is_err());
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            stream.try_write(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
        };
        let (refused, ()) = tokio::join!(Mux::connect(&path), accept);
        assert!(refused.is_err());
    }
}
