//! Reads a large file without its content passing through this process.
//!
//! `cat` reads it on the host, and ssh's master writes the output to the file here, which takes the
//! fewest copies and processes. A start-up file of the shell could add to the output, so the file
//! counts only if it is complete and has the length that SFTP reports. If not, the file comes over
//! SFTP.

use std::fs::File;
use std::time::Duration;

use hostlink_core::transfer::{GetOptions, Route, STALL, Sink, SinkWriter, Transferred};
use hostlink_core::{Error, ErrorKind, ExitStatus, Result, quote};
use openssh_sftp_client::metadata::MetaData;
use tokio::time::{Instant, interval};

use super::get::header;
use super::session::Session;
use super::sessions::Sessions;
use super::trouble::Trouble;
use crate::transport::Writing;

/// From this size on, another channel is worth its round trips.
const LARGE: u64 = 8 * 1024 * 1024;

/// How often the file's length is checked.
const LOOK: Duration = Duration::from_millis(500);

/// How long output may pause after its command's end. After that, another process holds the output
/// open, which a start-up file has started.
const HELD_UP: Duration = Duration::from_secs(3);

/// The result of a try.
enum Tried {
    Whole,
    /// The output is longer than the file was.
    Longer,
    /// It is incomplete, found no space, or was not started.
    Not,
}

/// Reads the file with the attributes `found`; `None` if it is not one for this route, or the route
/// fails.
pub(super) async fn get(
    sessions: &Sessions,
    session: &Session,
    path: &str,
    found: &MetaData,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Option<Transferred>> {
    let (Some(size), Some(modified)) = (found.len(), found.modified()) else {
        return Ok(None);
    };
    // Only the SFTP server knows where a relative path starts.
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
            Ok(Some(Transferred { bytes: size, in_place, route: Route::Sftp }))
        }
        Tried::Longer => {
            // Unless the file has grown, a start-up file has added to the output.
            let now = session.stat(path.as_ref()).await.map_err(|trouble| trouble.of(path))?;
            if now.len() == Some(size) {
                sessions.is_inexact();
            }
            Ok(None)
        }
        Tried::Not => Ok(None),
    }
}

async fn run(sessions: &Sessions, script: &str, file: &File, size: u64) -> Result<Tried> {
    let copy = file.try_clone().map_err(|error| {
        let message = "the file cannot be passed to ssh";
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

/// Returns the script that writes the file, if it is the one that SFTP has seen.
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

/// Resolves when a file has not grown for `limit`.
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
