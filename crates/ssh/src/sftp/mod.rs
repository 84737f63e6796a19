//! Files over SFTP, by the package `openssh-sftp-client`, with many requests in flight.
//!
//! The transport only opens the channel. A file that SFTP cannot store or read exactly as a command
//! does is left to the command.
//!
//! Modules here work around version 0.15.11 of the package:
//!
//! - `frames`: the package trusts every length (`ReadEnd::read_in_one_packet_pinned` in
//!   openssh-sftp-client-lowlevel 0.7.4, `src/read_end.rs`), and a status without text ends the
//!   session. It keeps the server's limits private (`File::max_read_len`, `src/file/mod.rs`), and
//!   panics if they are small (`Sftp::set_limits`, `src/sftp.rs`).
//! - `temporary`: the package opens files without a mode (`OpenOptions::open_inner`,
//!   `src/file/mod.rs`), so an incomplete file is in a directory of mode 0700.
//! - `session`: a request has no deadline, and does not report why its session was lost
//!   (`cancel_error`, `src/lib.rs`).
//! - `Sessions::to_its_end`: if the future that opens a file is dropped, the file stays open
//!   (`OpenOptions::open_inner`).
//! - `pipeline`, `get`: each clone of a `File` has one request in flight, and its offset is wrong
//!   after an answer shorter than the request (`File::read`, `src/file/mod.rs`).

mod direct;
mod directories;
mod frames;
mod get;
mod pipeline;
mod place;
mod put;
mod session;
mod sessions;
mod temporary;
#[cfg(test)]
mod tests;
mod trouble;

use std::fmt;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use hostlink_core::transfer::{
    DirectoryTransfer, FileTransfer, GetOptions, OpenSource, PutOptions, Sink, Transferred,
};
use hostlink_core::{BoxWrite, Result};
use tokio::io::AsyncRead;

use crate::transport::Writing;
use sessions::Sessions;

/// A server's output.
type BoxRead = Pin<Box<dyn AsyncRead + Send>>;

/// Reports why files take their route, for `-v`.
pub(crate) type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Opens the SFTP subsystem on a new channel.
#[async_trait]
pub(crate) trait OpenSftp: fmt::Debug + Send + Sync {
    /// # Errors
    ///
    /// There is no SFTP. After `LinkLost`, the next file may try again.
    async fn open(&self) -> Result<Subsystem>;

    /// Starts a script of `sh` on another channel, with its standard output going to a file of this
    /// machine; `None` if no channel is free, or the script cannot be started.
    ///
    /// # Errors
    ///
    /// The link is lost.
    async fn run_into(&self, script: &str, output: OwnedFd) -> Result<Option<Writing>>;
}

/// A server's streams. Dropping them ends the server.
pub(crate) struct Subsystem {
    pub(crate) input: BoxWrite,
    pub(crate) output: BoxRead,
    /// Resolves when the server is gone.
    pub(crate) ended: BoxFuture<'static, ()>,
}

/// Whether files go through SFTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// If the host has it.
    Auto,
    /// Always: it is an error if the host lacks it.
    Sftp,
}

/// Maximum bytes in flight of one file. OpenSSH's channel window is 2 MiB.
const WINDOW: usize = 4 * 1024 * 1024;

/// Maximum bytes in flight of all files of a session, which share them evenly.
const BUDGET: usize = 32 * 1024 * 1024;

/// How long [`SftpTransfer::close`] waits for clean-ups. A link that answers has waited for them
/// before.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Moves a connection's files over one SFTP session.
pub(crate) struct SftpTransfer {
    sessions: Arc<Sessions>,
}

impl SftpTransfer {
    /// Opens nothing yet. `limit` is for opening the session.
    pub(crate) fn new(
        opener: Arc<dyn OpenSftp>,
        policy: Policy,
        limit: Duration,
        tell: Tell,
    ) -> Self {
        Self { sessions: Arc::new(Sessions::new(opener, policy, limit, tell)) }
    }

    /// Ends the session if no file is being moved, since a command waits for its channel. The next
    /// file opens a new one.
    pub(crate) fn give_way(&self) {
        self.sessions.stop_direct();
        self.sessions.end_if_idle();
    }

    /// Waits a moment for clean-ups, then ends the session. It may be called twice.
    pub(crate) async fn close(&self) {
        // What is left after that is a hidden file that only its owner can read.
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.sessions.settle()).await;
        self.sessions.end();
    }
}

impl fmt::Debug for SftpTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpTransfer").finish_non_exhaustive()
    }
}

#[async_trait]
impl FileTransfer for SftpTransfer {
    async fn put(
        &self,
        source: &mut OpenSource,
        path: &str,
        options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        // SFTP cannot tell whether that place is on the destination's file system.
        if options.places_temporary() || options.arguments.is_privileged() {
            return Ok(None);
        }
        let Some(session) = self.sessions.session().await? else { return Ok(None) };
        put::put(&self.sessions, &session, source, path, options).await
    }

    async fn get(
        &self,
        path: &str,
        sink: &mut Sink<'_>,
        options: &GetOptions,
    ) -> Result<Option<Transferred>> {
        if options.arguments.is_privileged() {
            return Ok(None);
        }
        let Some(session) = self.sessions.session().await? else { return Ok(None) };
        get::get(&self.sessions, &session, path, sink, options).await
    }

    async fn directories(&self) -> Result<Option<&dyn DirectoryTransfer>> {
        Ok(self.sessions.session().await?.map(|_| self as _))
    }

    async fn settle(&self) {
        self.sessions.settle().await;
    }
}
