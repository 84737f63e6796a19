//! The connection to one host.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hostlink_core::transfer::{FileProgram, FileTransfer};
use hostlink_core::{
    Connection, Duplex, Endpoint, Error, ErrorKind, Features, Forward, Forwarding, Forwards,
    Outcome, Process, Result, Script, Slot, Sockets, SpawnOptions, quote,
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::files::Files;
use crate::host::Host;
use crate::login::gone;
use crate::reserve::Reserve;
use crate::settings::FileProtocol;
use crate::slots::Use;
use crate::transport::Request;

/// The longest line for a host, in bytes. dropbear takes 9000 (its `MAX_CMD_LEN`); longer scripts
/// go over standard input, which costs 0.4 ms.
const LINE: usize = 8 * 1024;

/// The longest line on a terminal, where a script cannot go over standard input. The login shell
/// gets it as one argument (`MAX_ARG_STRLEN`, execve(2)).
const TERMINAL_LINE: usize = 120 * 1024;

/// How long a host may refuse channels while none is open.
const REFUSAL_LIMIT: Duration = Duration::from_secs(10);

/// The pauses between tries to start a kill while no channel is free, in milliseconds.
const URGENT_WAITS: [u64; 5] = [10, 20, 40, 80, 160];

/// A host, its channels and its files.
#[derive(Debug)]
pub(crate) struct SshConnection {
    host: Arc<Host>,
    reserve: Reserve,
    files: Files,
    /// When the host started to refuse channels while none was open.
    refused_since: Mutex<Option<Instant>>,
}

impl SshConnection {
    pub(crate) fn new(host: Host) -> Self {
        let host = Arc::new(host);
        Self {
            files: Files::new(host.clone()),
            reserve: Reserve::new(host.clone()),
            refused_since: Mutex::default(),
            host,
        }
    }

    /// Makes repeated refusals a lasting error if no channel is open: some hosts allow none at all
    /// (`MaxSessions 0`, sshd_config(5)).
    fn refused(&self, busy: Error) -> Error {
        let none = self.host.slots().channels() == 0;
        let mut since = self.refused_since.lock();
        if !none {
            *since = None;
            return busy;
        }
        if since.get_or_insert_with(Instant::now).elapsed() < REFUSAL_LIMIT {
            return busy;
        }
        let message = "the host allows no session (its sshd has MaxSessions 0, or other programs use all sessions)";
        Error::new(ErrorKind::Connect, message)
    }

    /// Starts a kill although no channel is free. If none becomes free soon, the kill gets a login
    /// of its own.
    async fn spawn_urgent(&self, request: &Request, mut busy: Error) -> Result<Process> {
        for wait in URGENT_WAITS {
            self.reserve.release();
            sleep(Duration::from_millis(wait)).await;
            let login = self.host.login()?;
            if !login.is_alive() {
                return Err(gone());
            }
            let channel = self.host.slots().channel(Use::Kill);
            match login.open(request, None, Some(channel)).await {
                Err(error) if error.kind() == ErrorKind::Busy => busy = error,
                opened => return opened,
            }
        }
        if self.host.settings().control_path.is_some() {
            return Err(busy);
        }
        self.host.spare_login().await?.open(request, None, None).await
    }
}

#[async_trait]
impl Connection for SshConnection {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        let asked = Instant::now();
        if options.urgent {
            // A kill does not wait for running commands. On a lost link it cannot be sent.
            let alive = self.host.login()?.is_alive();
            return if alive { Ok(Slot::default()) } else { Err(gone()) };
        }
        let slot = self.host.slots().take(|| self.files.give_way()).await?;
        let login = self.host.live_login_for(asked).await?;
        self.reserve.hold(&login).await;
        Ok(slot)
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        let request = Request::Line(quote::any_shell(script.argument()));
        let slots = self.host.slots();
        let channel = slots.channel(if options.urgent { Use::Kill } else { Use::Command });
        let opened = self.host.login()?.open(&request, options.terminal, Some(channel)).await;
        match opened {
            Err(error) if error.kind() == ErrorKind::Busy && options.urgent => {
                self.spawn_urgent(&request, error).await
            }
            Err(error) if error.kind() == ErrorKind::Busy => {
                self.files.give_way();
                if slots.has_one() {
                    self.reserve.release();
                }
                Err(self.refused(error))
            }
            opened => {
                *self.refused_since.lock() = None;
                opened
            }
        }
    }

    async fn probe(&self) -> Result<()> {
        let login = self.host.login()?;
        let request = Request::Line(b"exec true".to_vec());
        let channel = self.host.slots().channel(Use::Kill);
        match login.open(&request, None, Some(channel)).await {
            // A refusal is an answer, too, but not that of a login that has ended.
            Err(error) if error.kind() == ErrorKind::Busy && login.is_alive() => Ok(()),
            Err(error) if error.kind() == ErrorKind::Busy => {
                Err(error.with_kind(ErrorKind::LinkLost))
            }
            asked => asked.map(drop),
        }
    }

    fn fits(&self, script: &[u8], options: &SpawnOptions) -> bool {
        let limit = if options.terminal.is_some() { TERMINAL_LINE } else { LINE };
        quote::any_shell(script).len() <= limit
    }

    fn file_transfer(&self) -> Option<&dyn FileTransfer> {
        self.files.transfer()
    }

    fn features(&self) -> Features {
        let file_program = match self.host.settings().file_protocol {
            FileProtocol::Scp => FileProgram::Scp,
            _ => FileProgram::Cat,
        };
        Features { file_program, ..Features::default() }
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        self.host.slots().close();
        self.files.close().await;
        self.host.close().await;
        self.reserve.release();
        Ok(())
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(self)
    }
}

#[async_trait]
impl Sockets for SshConnection {
    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        self.host.live_login().await?.dial(to).await
    }

    fn forwards(&self) -> Option<&dyn Forwards> {
        Some(self)
    }
}

#[async_trait]
impl Forwards for SshConnection {
    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        self.host.live_login().await?.forward(forward).await
    }
}
