//! A login that channels and forwards use: a master of ours, or one of the user's.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostlink_core::{Error, ErrorKind, Result};
use openssh::Session;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::master::{Master, MasterDirectory};
use crate::mux::Mux;

/// How long a master may take to answer, for which it does not ask the host.
const MASTER_LIMIT: Duration = Duration::from_secs(10);

/// How long a host may take to open a channel. A dead host is usually detected earlier.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// Maximum number of dials and checks at the same time.
const CALLERS: usize = 16;

/// How long a master whose channels were lost may take to end, and report why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A master, of ours or of the user's.
pub(crate) struct Login {
    pub(crate) socket: PathBuf,
    pub(crate) owner: Owner,
    /// Limits dials and checks: the master's socket would refuse more than its queue holds (64).
    pub(crate) callers: Semaphore,
}

pub(crate) enum Owner {
    Ours(Master),
    /// Given by `ssh_control_path`, with a directory of ours for sockets.
    Users(MasterDirectory),
}

impl Login {
    pub(crate) fn new(socket: PathBuf, owner: Owner) -> Self {
        Self { socket, owner, callers: Semaphore::new(CALLERS) }
    }

    pub(crate) fn directory(&self) -> &Path {
        match &self.owner {
            Owner::Ours(master) => master.directory(),
            Owner::Users(directory) => directory.path(),
        }
    }

    /// Checks that the login is alive. The error reports why it is not.
    pub(crate) async fn check(&self) -> Result<()> {
        let _place = self.callers.acquire().await;
        let session = Session::resume_mux(self.socket.as_path().into(), None);
        match timeout(MASTER_LIMIT, session.check()).await {
            Ok(Ok(())) if self.is_alive() => Ok(()),
            _ => Err(self.lost().await),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        match &self.owner {
            Owner::Ours(master) => master.is_alive(),
            Owner::Users(_) => self.socket.exists(),
        }
    }

    /// Connects to the master.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if it has too many callers, or has ended. It has done nothing, so the
    /// request may be repeated on a new login.
    pub(crate) async fn call(&self) -> Result<Mux> {
        match limited(Mux::connect(&self.socket)).await {
            Ok(Ok(mux)) => return Ok(mux),
            Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::new(ErrorKind::Busy, "the ssh master has too many callers"));
            }
            Ok(Err(_)) | Err(_) => {}
        }
        let lost = self.lost().await;
        match &self.owner {
            // Its socket was removed, or it hangs: it is of no use any more.
            Owner::Ours(master) if master.is_alive() => master.close().await,
            Owner::Ours(_) => {}
            Owner::Users(_) => return Err(lost),
        }
        Err(lost.with_kind(ErrorKind::Busy))
    }

    /// Returns why the login ended. A master's channels may end a little before the master.
    async fn lost(&self) -> Error {
        match &self.owner {
            Owner::Ours(master) => {
                timeout(LAST_WORDS, master.ended()).await.unwrap_or_else(|_| gone())
            }
            Owner::Users(_) => gone(),
        }
    }
}

/// Returns the error for a login that has ended.
pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::LinkLost, "the ssh connection is gone")
}

pub(crate) async fn limited<T>(work: impl Future<Output = T>) -> Result<T> {
    timeout(MASTER_LIMIT, work)
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "the ssh master does not answer"))
}
