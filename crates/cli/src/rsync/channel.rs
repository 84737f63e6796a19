//! Passes the command and the standard streams of a relay to the running hostlink.
//!
//! The descriptors themselves are sent over the socket (SCM_RIGHTS, unix(7)): no byte of the files
//! passes through the relay.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;

use hostlink::connector::{BoxRead, BoxWrite};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// No system accepts a longer command line.
const MAX_LINE: usize = 4 << 20;

/// The request of a relay.
pub(super) struct Request {
    /// The command, as a line of shell.
    pub(super) line: OsString,
    /// The source of its input.
    pub(super) input: BoxRead,
    /// The destination of its output.
    pub(super) output: BoxWrite,
}

/// Sends a command line and this process's standard input and output.
pub(super) fn send(stream: &std::os::unix::net::UnixStream, line: &OsStr) -> io::Result<()> {
    send_all(stream, line, &[io::stdin().as_fd(), io::stdout().as_fd()])
}

fn send_all(
    mut stream: &std::os::unix::net::UnixStream,
    line: &OsStr,
    descriptors: &[BorrowedFd<'_>; 2],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    let length = u32::try_from(line.len()).map_err(io::Error::other)?.to_be_bytes();
    sendmsg(stream, &[IoSlice::new(&length)], &mut ancillary, SendFlags::empty())?;
    stream.write_all(line.as_bytes())
}

/// Receives what [`send`] sent.
pub(super) async fn receive(stream: &mut UnixStream) -> io::Result<Request> {
    let (length, descriptors) =
        stream.async_io(Interest::READABLE, || receive_descriptors(stream.as_fd())).await?;
    let length = u32::from_be_bytes(length) as usize;
    let Ok([input, output]) = <[OwnedFd; 2]>::try_from(descriptors) else {
        return Err(io::Error::other("a relay sends two descriptors"));
    };
    if length > MAX_LINE {
        return Err(io::Error::other("the command of a relay is too long"));
    }
    let mut line = vec![0; length];
    stream.read_exact(&mut line).await?;
    Ok(Request { line: OsString::from_vec(line), input: reader(input)?, output: writer(output)? })
}

fn receive_descriptors(stream: BorrowedFd<'_>) -> io::Result<([u8; 4], Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut length)];
    let received = recvmsg(stream, &mut parts, &mut ancillary, RecvFlags::empty())?;
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    for descriptor in &descriptors {
        // rsync would wait forever if one of our child processes held its streams.
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    if received.bytes != length.len() {
        return Err(io::Error::other("a relay ended early"));
    }
    Ok((length, descriptors))
}

/// Returns a stream of rsync's for reading. rsync uses socket pairs or pipes.
fn reader(stream: OwnedFd) -> io::Result<BoxRead> {
    Ok(match socket(stream)? {
        Ok(socket) => Box::pin(socket),
        Err(pipe) => Box::pin(pipe::Receiver::from_owned_fd(pipe)?),
    })
}

/// Returns a stream of rsync's for writing.
fn writer(stream: OwnedFd) -> io::Result<BoxWrite> {
    Ok(match socket(stream)? {
        Ok(socket) => Box::pin(socket),
        Err(pipe) => Box::pin(pipe::Sender::from_owned_fd(pipe)?),
    })
}

/// Returns the stream as a socket, or unchanged if it is not one.
fn socket(stream: OwnedFd) -> io::Result<Result<UnixStream, OwnedFd>> {
    let file = File::from(stream);
    if !file.metadata()?.file_type().is_socket() {
        return Ok(Err(file.into()));
    }
    let socket = std::os::unix::net::UnixStream::from(OwnedFd::from(file));
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket).map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    async fn sent(stdin: OwnedFd, stdout: OwnedFd) -> Request {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ours = ours.into_std().unwrap();
        ours.set_nonblocking(false).unwrap();
        send_all(&ours, "a\\ b".as_ref(), &[stdin.as_fd(), stdout.as_fd()]).unwrap();
        receive(&mut theirs).await.unwrap()
    }

    async fn is_served(mut request: Request, mut far_in: BoxWrite, mut far_out: BoxRead) {
        assert_eq!(request.line, "a\\ b");
        far_in.write_all(b"in").await.unwrap();
        let mut bytes = [0; 2];
        request.input.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"in");
        request.output.write_all(b"ou").await.unwrap();
        drop(request);
        let mut rest = Vec::new();
        far_out.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"ou");
    }

    #[tokio::test]
    async fn sockets_arrive() {
        let pair = || std::os::unix::net::UnixStream::pair().unwrap();
        let ((stdin, far_in), (stdout, far_out)) = (pair(), pair());
        let request = sent(stdin.into(), stdout.into()).await;
        let (far_in, far_out) = (writer(far_in.into()).unwrap(), reader(far_out.into()).unwrap());
        is_served(request, far_in, far_out).await;
    }

    #[tokio::test]
    async fn pipes_arrive() {
        let ((stdin, far_in), (far_out, stdout)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let request = sent(stdin.into(), stdout.into()).await;
        let (far_in, far_out) = (writer(far_in.into()).unwrap(), reader(far_out.into()).unwrap());
        is_served(request, far_in, far_out).await;
    }

    #[tokio::test]
    async fn a_command_that_is_too_long_is_an_error() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ours = ours.into_std().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = [ours.as_fd(), ours.as_fd()];
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let length = u32::MAX.to_be_bytes();
        let parts = [IoSlice::new(&length)];
        sendmsg(&ours, &parts, &mut ancillary, SendFlags::empty()).unwrap();
        let error = receive(&mut theirs).await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the command of a relay is too long");
    }

    #[tokio::test]
    async fn a_relay_that_ends_early_is_an_error() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        drop(ours);
        assert!(receive(&mut theirs).await.is_err());
    }
}
