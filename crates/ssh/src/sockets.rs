//! What ssh reads and writes on our behalf: socket pairs.
//!
//! Pipes would do, and cost more: whoever writes into one is woken for each page that becomes free,
//! and whoever writes into a socket only when most of what it holds has been read. A user's limit
//! for all pipes together (`pipe-user-pages-soft`, pipe(7)) does not count sockets, either.

use std::os::fd::OwnedFd;

use hostlink_core::{Error, ErrorKind, Result};
use tokio::net::UnixStream;

/// A pair of which ssh gets the first end: it wants it to block.
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
