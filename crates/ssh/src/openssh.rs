//! The transport through OpenSSH's own client: a master process that holds the login, and its
//! socket.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use hostlink_core::{
    Duplex, Endpoint, Error, ErrorKind, Forward, Forwarding, Process, Result, TerminalSize,
};
use tokio::time::timeout;

use crate::channel::Check;
use crate::login::{Login, OPEN_LIMIT, Owner};
use crate::master::{Master, MasterDirectory};
use crate::slots::Channel;
use crate::transport::{Request, Transport, Writing};
use crate::{channel, dial, forwarding};

/// A login that a master process holds.
pub(crate) struct OpenSsh {
    login: Arc<Login>,
    /// Numbers the sockets that streams go through.
    dialled: AtomicU64,
}

impl OpenSsh {
    /// Uses a master of ours.
    pub(crate) fn new(master: Master) -> Self {
        let login = Login::new(master.control_path(), Owner::Ours(master));
        Self { login: Arc::new(login), dialled: AtomicU64::new(0) }
    }

    /// Uses a master that the user has started.
    ///
    /// # Errors
    ///
    /// No master answers at `path`.
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
        // Dropping the connection to the master cancels the request.
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

    async fn close(&self) {
        match &self.login.owner {
            Owner::Ours(master) => master.close().await,
            Owner::Users(_) => {}
        }
    }
}

impl fmt::Debug for OpenSsh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSsh").field("socket", &self.login.socket).finish_non_exhaustive()
    }
}

fn no_answer() -> Error {
    Error::new(ErrorKind::LinkLost, "the host does not answer a request for a channel")
}
