//! Socket pairs for the streams of ssh.
//!
//! Pipes would cost more: their writer is woken for each page that becomes free, and the writer of
//! a socket only when most of it has been read. Nor do sockets count towards a user's limit for
//! pipes (`pipe-user-pages-soft`, pipe(7)).

use std::os::fd::OwnedFd;

use hostlink_core::{Error, ErrorKind, Result};
use tokio::net::UnixStream;

/// Opens a pair. ssh gets the first end, which must block.
pub(crate) fn pair() -> Result<(OwnedFd, UnixStream)> {
    let made = std::os::unix::net::UnixStream::pair().and_then(|(far, near)| {
        near.set_nonblocking(true)?;
        Ok((far.into(), UnixStream::from_std(near)?))
    });
    made.map_err(|error| {
        let message = format!("no socket could be opened: {error}");
        Error::new(ErrorKind::Connect, message).with_source(error)
    })
}
