//! The process that rsync starts in the place of ssh: `PROGRAM WORD SOCKET HOST COMMAND…`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use super::channel;
use crate::exit::LINK;

/// The first word of its command line. No target has such a name.
pub(super) const WORD: &str = "--rsync-relay";

/// All that such a process does; `None` in one that was started otherwise.
pub(crate) fn relay(words: &[OsString]) -> Option<ExitCode> {
    let [_, word, socket, _, command @ ..] = words else { return None };
    if word != WORD {
        return None;
    }
    let status = ask(socket, command).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "hostlink: cannot reach the hostlink that runs: {error}");
        LINK
    });
    Some(ExitCode::from(status))
}

/// Has the running hostlink run the command on this process's standard streams.
fn ask(socket: &OsStr, command: &[OsString]) -> io::Result<u8> {
    let mut stream = UnixStream::connect(socket)?;
    // As ssh does: the words were written for a shell to read them again.
    let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    channel::send(&stream, &OsString::from_vec(words.join(&b' ')))?;
    let mut status = [LINK];
    // Without an answer the running hostlink has ended, and said why.
    let _ = stream.read_exact(&mut status);
    Ok(status[0])
}
