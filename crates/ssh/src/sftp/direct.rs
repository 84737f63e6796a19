//! Reads a large file without its content passing through this process.
//!
//! `cat` writes it on the host, and ssh's master writes what comes into the file here: of all ways
//! the one with the fewest copies and processes. Its output could hold what a start-up file of the
//! shell writes, so it counts only if it has come to its end and is as long as SFTP says that the
//! file is; if not, the file goes over SFTP.

use std::fs::File;
use std::time::Duration;

use hostlink_core::transfer::{GetOptions, STALL, Sink, SinkWriter, Transferred};
use hostlink_core::{Error, ErrorKind, ExitStatus, Result, quote};
use openssh_sftp_client_lowlevel::FileAttrs;
use tokio::time::{Instant, interval};

use super::get::{header, look};
use super::session::Session;
use super::sessions::Sessions;
use super::trouble::Trouble;
use crate::transport::Writing;

/// From this size on a channel more is worth its round trips.
const LARGE: u64 = 8 * 1024 * 1024;

/// How often it is looked whether something moves.
const LOOK: Duration = Duration::from_millis(500);

/// Output that stands still for so long after its command's end is held up by something else, which
/// a start-up file has left behind.
const HELD_UP: Duration = Duration::from_secs(3);

/// How a try went.
enum Tried {
    Whole,
    /// The output is longer than the file was.
    Longer,
    /// It did not come to its end, or found no room, or was not begun.
    Not,
}

/// Reads the file of which SFTP has just said `found`; `None` if it is not one for this, or this
/// does not serve it.
pub(super) async fn get(
    sessions: &Sessions,
    session: &Session,
    path: &str,
    found: &FileAttrs,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Option<Transferred>> {
    let (Some(size), Some((_, modified))) = (found.get_size(), found.get_time()) else {
        return Ok(None);
    };
    // What a relative path starts from is SFTP's affair.
    if size < LARGE || !path.starts_with('/') || !sink.is_file().await {
        return Ok(None);
    }
    let writer = SinkWriter::new(sink, header(found)).await?;
    let Some(file) = writer.file() else { return Ok(None) };
    let script = script(path, size, modified.into_raw());
    let tried = tokio::select! {
        tried = run(sessions, &script, file, size) => tried?,
        () = standing_still(file, STALL) => return Err(Trouble::Stalled.of(path)),
        () = sessions.direct_stopped() => Tried::Not,
    };
    match tried {
        Tried::Whole => {
            let in_place = writer.finish(options.preserve).await?;
            Ok(Some(Transferred { bytes: size, in_place }))
        }
        Tried::Longer => {
            // A file that grows is no sign of noise.
            let now = look(session, path).await.map_err(|trouble| trouble.of(path))?;
            if now.get_size() == Some(size) {
                sessions.is_inexact();
            }
            Ok(None)
        }
        Tried::Not => Ok(None),
    }
}

async fn run(sessions: &Sessions, script: &str, file: &File, size: u64) -> Result<Tried> {
    let copy = file.try_clone().map_err(|error| {
        let message = "the file cannot be handed to ssh";
        Error::new(ErrorKind::Transfer, message).with_source(error)
    })?;
    let Some(Writing { exit, written }) = sessions.run_into(script, copy.into()).await? else {
        return Ok(Tried::Not);
    };
    if exit.await? != ExitStatus::Code(0) {
        return Ok(Tried::Not);
    }
    tokio::select! {
        () = written => {}
        () = standing_still(file, HELD_UP) => {
            sessions.is_inexact();
            return Ok(Tried::Not);
        }
    }
    Ok(match length(file) {
        Some(length) if length == size => Tried::Whole,
        Some(length) if length > size => Tried::Longer,
        _ => Tried::Not,
    })
}

/// Writes the file, if it is the one that SFTP has seen.
fn script(path: &str, size: u64, modified: u32) -> String {
    let path = quote::shell(path.as_bytes());
    let path = String::from_utf8_lossy(&path);
    format!(
        "d={path}\n\
         a=$(stat -L -c '%s %Y' \"$d\" 2>&-) || a=$(stat -L -f '%z %m' \"$d\" 2>&-)\n\
         [ \"$a\" = '{size} {modified}' ] || exit 1\n\
         exec cat <\"$d\""
    )
}

fn length(file: &File) -> Option<u64> {
    file.metadata().ok().map(|found| found.len())
}

/// Resolves when a file has not grown for so long.
async fn standing_still(file: &File, limit: Duration) {
    let (mut looks, mut before, mut moved) = (interval(LOOK), None, Instant::now());
    while moved.elapsed() < limit {
        looks.tick().await;
        let now = length(file);
        if now != before {
            (before, moved) = (now, Instant::now());
        }
    }
}
