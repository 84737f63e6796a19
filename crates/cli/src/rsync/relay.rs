//! The process that rsync starts instead of ssh: `PROGRAM WORD SOCKET HOST COMMAND…`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use super::channel;
use crate::exit::LINK;

/// The first word of its command line. No target has such a name.
pub(super) const WORD: &str = "--rsync-relay";

/// Runs such a process; returns `None` in one that was started otherwise.
pub(crate) fn relay(words: &[OsString]) -> Option<ExitCode> {
    let [_, word, socket, _, command @ ..] = words else { return None };
    if word != WORD {
        return None;
    }
    let status = ask(socket, command).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "hostlink: cannot reach the running hostlink: {error}");
        LINK
    });
    Some(ExitCode::from(status))
}

/// Makes the running hostlink run the command on this process's standard streams.
fn ask(socket: &OsStr, command: &[OsString]) -> io::Result<u8> {
    let mut stream = UnixStream::connect(socket)?;
    // As in ssh: the words are joined for a shell to parse them again.
    let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    channel::send(&stream, &OsString::from_vec(words.join(&b' ')))?;
    let mut status = [LINK];
    // Without an answer the running hostlink has ended, and has reported why.
    let _ = stream.read_exact(&mut status);
    Ok(status[0])
}
