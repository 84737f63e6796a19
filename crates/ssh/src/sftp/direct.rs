//! Reads a large file without its content passing through this process.
//!
//! `cat` writes it on the host, and ssh's master writes what comes into the file here: of all ways the one with the fewest
//! copies and processes. Its output could hold what a start-up file of the shell writes, so it counts only if it
//! is as long as SFTP says that the file is; if not, the file goes over SFTP.

use std::fs::File;
use std::time::Duration;

use hostlink_core::transfer::{GetOptions, STALL, Sink, SinkWriter, Transferred};
use hostlink_core::{Error, ExitStatus, Result, quote};
use openssh_sftp_client_lowlevel::FileAttrs;
use tokio::time::{Instant, interval};

use super::get::header;
use super::sessions::Sessions;
use super::trouble::Trouble;

/// From this size on a channel more is worth its round trips.
const LARGE: u64 = 8 * 1024 * 1024;

/// How often it is looked whether something moves.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the file of which SFTP has just said `found`; `None` if it is not one for this, or this does not serve it.
pub(super) async fn get(
    sessions: &Sessions,
    path: &str,
    found: &FileAttrs,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Option<Transferred>> {
    // What a relative path starts from is SFTP's affair.
    let (Sink::Path(_), true) = (&*sink, path.starts_with('/')) else { return Ok(None) };
    let (Some(size), Some((_, modified))) = (found.get_size(), found.get_time()) else {
        return Ok(None);
    };
    if size < LARGE {
        return Ok(None);
    }
    let writer = SinkWriter::new(sink, header(found)).await?;
    let Some(file) = writer.file() else { return Ok(None) };
    let handed = file
        .try_clone()
        .map_err(|error| Error::from_io("the file cannot be handed to ssh", error))?;
    let script = script(path, size, modified.into_raw());
    let status = tokio::select! {
        ran = sessions.run_into(&script, handed.into()) => ran?,
        () = stalled(file) => return Err(Trouble::Stalled.of(path)),
    };
    match status {
        Some(ExitStatus::Code(0)) if length(file) == Some(size) => {}
        Some(ExitStatus::Code(0)) => {
            sessions.is_inexact();
            return Ok(None);
        }
        _ => return Ok(None),
    }
    let in_place = writer.finish(options.preserve).await?;
    Ok(Some(Transferred { bytes: size, in_place }))
}

/// Writes the file, if it is the one that SFTP has seen.
fn script(path: &str, size: u64, modified: u32) -> String {
    let path = quote::shell(path.as_bytes());
    let path = String::from_utf8_lossy(&path);
    format!(
        "a=$(stat -L -c '%s %Y' {path} 2>/dev/null) || a=$(stat -L -f '%z %m' {path} 2>/dev/null)\n\
         [ \"$a\" = '{size} {modified}' ] || exit 1\n\
         exec cat <{path}"
    )
}

fn length(file: &File) -> Option<u64> {
    file.metadata().ok().map(|found| found.len())
}

/// Resolves when nothing has moved for too long.
async fn stalled(file: &File) {
    let (mut looks, mut before, mut moved) = (interval(LOOK), None, Instant::now());
    while moved.elapsed() < STALL {
        looks.tick().await;
        let now = length(file);
        if now != before {
            (before, moved) = (now, Instant::now());
        }
    }
}
