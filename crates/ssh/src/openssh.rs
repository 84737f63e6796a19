//! The transport through OpenSSH's own client: a master process that holds the login, and its socket.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hostlink_core::{
    Duplex, Endpoint, Error, ErrorKind, Forward, Forwarding, Process, Result, TerminalSize,
};
use openssh::Session;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::channel::Check;
use crate::master::{Master, MasterDirectory};
use crate::mux::Mux;
use crate::slots::Channel;
use crate::transport::{Request, Transport, Writing};
use crate::{channel, dial, forwarding};

/// How long a master may take to answer: it does not ask the host for that.
const MASTER_LIMIT: Duration = Duration::from_secs(10);

/// How long a host may take to open a channel. One that is dead is usually known for that sooner.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// Dials and checks at once.
const CALLERS: usize = 16;

/// How long a master whose channels broke off may take to end, and say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A login that a master process holds.
pub(crate) struct OpenSsh {
    login: Arc<Login>,
    /// Numbers the sockets that streams go through.
    dialled: AtomicU64,
}

/// A master, whosever it is.
pub(crate) struct Login {
    pub(crate) socket: PathBuf,
    pub(crate) owner: Owner,
    /// Those who dial or check: more of them than the master's socket queues (64) would be turned away.
    pub(crate) callers: Semaphore,
}

pub(crate) enum Owner {
    Ours(Master),
    /// Given by `ssh_control_path`, with a directory of ours for sockets.
    Users(MasterDirectory),
}

impl Login {
    fn new(socket: PathBuf, owner: Owner) -> Self {
        Self { socket, owner, callers: Semaphore::new(CALLERS) }
    }

    pub(crate) fn directory(&self) -> &Path {
        match &self.owner {
            Owner::Ours(master) => master.directory(),
            Owner::Users(directory) => directory.path(),
        }
    }

    /// Whether the login is still there; the error says what became of it.
    pub(crate) async fn check(&self) -> Result<()> {
        let _place = self.callers.acquire().await;
        let session = Session::resume_mux(self.socket.as_path().into(), None);
        match timeout(MASTER_LIMIT, session.check()).await {
            Ok(Ok(())) if self.is_alive() => Ok(()),
            _ => Err(self.lost().await),
        }
    }

    fn is_alive(&self) -> bool {
        match &self.owner {
            Owner::Ours(master) => master.is_alive(),
            Owner::Users(_) => self.socket.exists(),
        }
    }

    /// Calls the master.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if it has too many callers, or has ended: nothing was asked of it, so that the same may be
    /// asked of a new login.
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
            // Its socket was removed, or it hangs: nobody reaches it any more.
            Owner::Ours(master) if master.is_alive() => master.close().await?,
            Owner::Ours(_) => {}
            Owner::Users(_) => return Err(lost),
        }
        Err(lost.with_kind(ErrorKind::Busy))
    }

    /// What became of it. The end of a master's channels may be seen a little before its own.
    async fn lost(&self) -> Error {
        let gone = || Error::new(ErrorKind::LinkLost, "the ssh connection is gone");
        match &self.owner {
            Owner::Ours(master) => {
                timeout(LAST_WORDS, master.ended()).await.unwrap_or_else(|_| gone())
            }
            Owner::Users(_) => gone(),
        }
    }
}

impl OpenSsh {
    /// Over a master of ours.
    pub(crate) fn new(master: Master) -> Self {
        let login = Login::new(master.control_path(), Owner::Ours(master));
        Self { login: Arc::new(login), dialled: AtomicU64::new(0) }
    }

    /// Over a master that the user has started.
    ///
    /// # Errors
    ///
    /// Nobody answers at `path`.
    pub(crate) async fn attach(path: &Path, directory: MasterDirectory) -> Result<Self> {
        let login = Login::new(path.to_owned(), Owner::Users(directory));
        login.check().await.map_err(|_| {
            let message = format!(
                "no ssh master answers at {} (ssh_control_path): start one with ssh -M -S, or leave it out",
                path.display()
            );
            Error::new(ErrorKind::Connect, message)
        })?;
        Ok(Self { login: Arc::new(login), dialled: AtomicU64::new(0) })
    }

    fn check(&self) -> Check {
        let login = self.login.clone();
        Box::new(|| Box::pin(async move { login.check().await }))
    }
}

#[async_trait]
impl Transport for OpenSsh {
    async fn open(
        &self,
        request: &Request,
        terminal: Option<TerminalSize>,
        channel: Option<Channel>,
    ) -> Result<Process> {
        let mux = self.login.call().await?;
        let opening = channel::open(mux, request, terminal, channel, self.check());
        let opened = timeout(OPEN_LIMIT, opening).await;
        // What was not opened by then is given up with the connection to the master.
        let opened = opened.unwrap_or_else(|_| Err(no_answer()));
        match opened {
            Err(error) if error.kind() == ErrorKind::LinkLost => {
                let lost = self.login.check().await.err();
                Err(lost.unwrap_or(error))
            }
            opened => opened,
        }
    }

    async fn run_into(&self, line: Vec<u8>, output: OwnedFd, channel: Channel) -> Result<Writing> {
        let mux = self.login.call().await?;
        let opening = channel::run_into(mux, line, output, channel, self.check());
        timeout(OPEN_LIMIT, opening).await.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        match to {
            Endpoint::Tcp(host, port) => dial::tcp(self.login.clone(), host, *port).await,
            Endpoint::Unix(path) => {
                let number = self.dialled.fetch_add(1, Ordering::Relaxed);
                dial::unix(self.login.clone(), number, path).await
            }
        }
    }

    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        forwarding::open(self.login.clone(), forward).await
    }

    fn is_alive(&self) -> bool {
        self.login.is_alive()
    }

    async fn close(&self) -> Result<()> {
        match &self.login.owner {
            Owner::Ours(master) => master.close().await,
            Owner::Users(_) => Ok(()),
        }
    }
}

impl fmt::Debug for OpenSsh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSsh").field("socket", &self.login.socket).finish_non_exhaustive()
    }
}

fn no_answer() -> Error {
    Error::new(ErrorKind::LinkLost, "the host opens no channel: it does not answer")
}

pub(crate) async fn limited<T>(work: impl Future<Output = T>) -> Result<T> {
    timeout(MASTER_LIMIT, work)
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "the ssh master does not answer"))
}
