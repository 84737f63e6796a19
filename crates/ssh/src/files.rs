//! The host's files: over SFTP, or through commands, which core does.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::StreamExt;
use hostlink_core::transfer::FileTransfer;
use hostlink_core::{Chunk, Error, ErrorKind, Event, Process, Result, Stream, quote};
use tokio_util::io::StreamReader;

use crate::host::Host;
use crate::settings::FileProtocol;
use crate::sftp::{OpenSftp, Policy, SftpTransfer, Subsystem};
use crate::slots::Use;
use crate::transport::{Request, Writing};

/// Moves a host's files.
#[derive(Debug)]
pub(crate) struct Files(Option<SftpTransfer>);

impl Files {
    /// Opens nothing yet.
    pub(crate) fn new(host: Arc<Host>) -> Self {
        let policy = match host.settings().file_protocol {
            FileProtocol::Auto => Policy::Auto,
            FileProtocol::Sftp => Policy::Sftp,
            FileProtocol::Stream | FileProtocol::Scp => return Self(None),
        };
        let limit = host.settings().connect_limit(host.context());
        let teller = host.clone();
        let tell = Arc::new(move |text: &str| {
            teller.context().reporter.report(teller.name(), Event::Detail(text));
        });
        Self(Some(SftpTransfer::new(Arc::new(Opener(host)), policy, limit, tell)))
    }

    pub(crate) fn transfer(&self) -> Option<&dyn FileTransfer> {
        self.0.as_ref().map(|sftp| sftp as _)
    }

    /// Gives its channel back if no file is being moved, since a command waits for one.
    pub(crate) fn give_way(&self) {
        if let Some(sftp) = &self.0 {
            sftp.give_way();
        }
    }

    /// Waits a moment for clean-ups. It may be called twice.
    pub(crate) async fn close(&self) {
        if let Some(sftp) = &self.0 {
            sftp.close().await;
        }
    }
}

/// Opens the subsystem on the host's login.
struct Opener(Arc<Host>);

#[async_trait]
impl OpenSftp for Opener {
    async fn open(&self) -> Result<Subsystem> {
        let login = self.0.live_login().await?;
        let channel = self.0.slots().channel(Use::Files);
        let Process { stdin, output, exit, control, .. } =
            login.open(&Request::Subsystem("sftp"), None, Some(channel)).await?;
        let no_input = || Error::new(ErrorKind::LinkLost, "the channel takes no input");
        let bytes = output.filter_map(|chunk| async {
            match chunk {
                Ok(Chunk { stream: Stream::Stdout, bytes }) => Some(Ok(bytes)),
                // The server's messages are for its own log.
                Ok(Chunk { stream: Stream::Stderr, .. }) => None,
                Err(error) => Some(Err(error)),
            }
        });
        Ok(Subsystem {
            input: stdin.ok_or_else(no_input)?,
            output: Box::pin(StreamReader::new(Box::pin(bytes))),
            ended: Box::pin(async move {
                // Any end means that it is gone.
                let _ = exit.await;
                drop(control);
            }),
        })
    }

    async fn run_into(&self, script: &str, output: OwnedFd) -> Result<Option<Writing>> {
        let login = self.0.login()?;
        let Some(channel) = self.0.slots().extra_for_files() else { return Ok(None) };
        match login.run_into(quote::any_shell(script.as_bytes()), output, channel).await {
            Err(error) if error.kind() != ErrorKind::LinkLost => Ok(None),
            running => running.map(Some),
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opener").field(&self.0).finish()
    }
}
