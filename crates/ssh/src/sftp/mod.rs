//! Files over SFTP: many requests in flight, in the sizes that the server allows.
//!
//! Only opening the channel is the transport's. What SFTP cannot do exactly as the stream through a
//! command does it is left to that.

mod direct;
mod file;
mod frames;
mod get;
mod place;
mod put;
mod session;
mod sessions;
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
    FileTransfer, GetOptions, OpenSource, PutOptions, Sink, Transferred,
};
use hostlink_core::{BoxWrite, Result};
use tokio::io::AsyncRead;

use crate::transport::Writing;
use sessions::Sessions;

/// What a server says.
type BoxRead = Pin<Box<dyn AsyncRead + Send>>;

/// Who is told what explains the way that files go, for `-v`.
pub(crate) type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Opens the SFTP subsystem on a new channel.
#[async_trait]
pub(crate) trait OpenSftp: fmt::Debug + Send + Sync {
    /// # Errors
    ///
    /// There is none. `LinkLost` means that the next file may try again.
    async fn open(&self) -> Result<Subsystem>;

    /// Starts a script of `sh` beside it, with its standard output going to a file of this machine;
    /// `None` if there is no channel for that, or it cannot be started.
    ///
    /// # Errors
    ///
    /// The link is lost.
    async fn run_into(&self, script: &str, output: OwnedFd) -> Result<Option<Writing>>;
}

/// A server's streams. Dropping them ends it.
pub(crate) struct Subsystem {
    pub(crate) input: BoxWrite,
    pub(crate) output: BoxRead,
    /// The server is gone.
    pub(crate) ended: BoxFuture<'static, ()>,
}

/// Whether files go through SFTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Where it is to be had.
    Auto,
    /// It was asked for: without it there is an error.
    Sftp,
}

/// The bytes that one file has in flight. OpenSSH's channel window is 2 MiB.
const WINDOW: usize = 4 * 1024 * 1024;

/// The bytes that all files of a session have in flight: where they are many, each has less.
const BUDGET: usize = 32 * 1024 * 1024;

/// How long [`SftpTransfer::close`] waits for clean-ups: a link waits for them before, as long as
/// it answers.
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

    /// Ends the session if no file is under way: its channel is wanted. The next file opens
    /// another.
    pub(crate) fn give_way(&self) {
        self.sessions.stop_direct();
        self.sessions.end_if_idle();
    }

    /// Waits a moment for clean-ups, then ends the session. It may be called twice.
    pub(crate) async fn close(&self) {
        // What is not cleaned up by then is a hidden file that nobody can get at.
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
        // Whether another place is on the same file system cannot be known.
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

    async fn settle(&self) {
        self.sessions.settle().await;
    }
}
