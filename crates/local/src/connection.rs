//! The connection to this machine: nothing to open, nothing to close.

use async_trait::async_trait;
use hostlink_core::transfer::FileTransfer;
use hostlink_core::{
    Connection, Duplex, Endpoint, Error, ErrorKind, Features, Outcome, Process, Result, Script,
    Sockets, SpawnOptions,
};
use tokio::net::{TcpStream, UnixStream};

use crate::files::LocalFiles;
use crate::process;

/// This machine.
#[derive(Debug, Default)]
pub(crate) struct LocalConnection {
    files: LocalFiles,
}

#[async_trait]
impl Connection for LocalConnection {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        match options.terminal {
            Some(size) => process::on_terminal(script, size),
            None if options.asked_on_terminal => process::on_pipes_beside_terminal(script),
            None => process::on_pipes(script),
        }
    }

    fn features(&self) -> Features {
        Features {
            terminal_beside_pipes: true,
            leads_process_groups: true,
            is_this_machine: true,
            ..Features::default()
        }
    }

    fn file_transfer(&self) -> Option<&dyn FileTransfer> {
        Some(&self.files)
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(self)
    }
}

#[async_trait]
impl Sockets for LocalConnection {
    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        let stream: std::io::Result<Box<dyn Duplex>> = match to {
            Endpoint::Unix(path) => UnixStream::connect(path).await.map(|s| Box::new(s) as _),
            Endpoint::Tcp(host, port) => {
                TcpStream::connect((host.as_str(), *port)).await.map(|s| Box::new(s) as _)
            }
        };
        stream.map_err(|error| {
            let message = format!("cannot connect to {to}: {error}");
            Error::new(ErrorKind::Connect, message).with_source(error)
        })
    }
}
