//! The connection to one container.

use std::sync::Arc;

use async_trait::async_trait;
#[cfg(target_os = "linux")]
use hostlink_core::transfer::FileTransfer;
use hostlink_core::{
    Connection, Error, ErrorKind, Features, MAX_ARGUMENT, Outcome, Process, Result, Script, Slot,
    SpawnOptions,
};
use tokio::sync::Semaphore;

use crate::brand::Brand;
use crate::container::Container;
use crate::exec;

/// The maximum input on a terminal: what fits into the kernel's buffers (64 KiB, tty_buffer.c), in
/// base64. Podman's monitor (conmon 2.1.6) blocks on a full terminal, and reads no output
/// meanwhile.
const MAX_TERMINAL_INPUT: u64 = 32 * 1024;

/// Concurrent commands in one container: an engine that starts more gets slower, not faster.
const COMMANDS: usize = 64;

/// Concurrent commands if the engine is reached by commands on another target, which limits its
/// sessions (sshd: 10). Two more are for calls.
const COMMANDS_BY_COMMAND: usize = 4;

/// A container and its commands.
#[derive(Debug)]
pub(crate) struct DockerConnection {
    container: Arc<Container>,
    slots: Arc<Semaphore>,
    #[cfg(target_os = "linux")]
    files: Option<crate::files::Files>,
}

impl DockerConnection {
    pub(crate) fn new(container: Container) -> Self {
        let by_command = container.engine.is_by_command();
        let commands = if by_command { COMMANDS_BY_COMMAND } else { COMMANDS };
        let container = Arc::new(container);
        Self {
            slots: Arc::new(Semaphore::new(commands)),
            #[cfg(target_os = "linux")]
            files: crate::files::Files::new(&container),
            container,
        }
    }
}

#[async_trait]
impl Connection for DockerConnection {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        if options.urgent {
            return Ok(Slot::default());
        }
        let closed = |_| Error::new(ErrorKind::LinkLost, "the connection was closed");
        self.slots.clone().acquire_owned().await.map(Slot::holding).map_err(closed)
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        exec::start(&self.container, script, options).await
    }

    /// The engine takes commands as JSON, which is UTF-8.
    fn fits(&self, script: &[u8], _options: &SpawnOptions) -> bool {
        script.len() <= MAX_ARGUMENT && std::str::from_utf8(script).is_ok()
    }

    fn features(&self) -> Features {
        let is_podman = self.container.engine.brand() == Brand::Podman;
        Features {
            max_terminal_input: is_podman.then_some(MAX_TERMINAL_INPUT),
            // Podman 4.3.1: `read unixpacket …/attach: read: connection reset by peer`.
            input_waits: is_podman,
            ..Features::default()
        }
    }

    #[cfg(target_os = "linux")]
    fn file_transfer(&self) -> Option<&dyn FileTransfer> {
        self.files.as_ref().map(|files| files as _)
    }

    async fn probe(&self) -> Result<()> {
        let engine = &self.container.engine;
        engine.ping().await.map_err(|error| engine.does_not_answer(error))
    }

    async fn disconnect(&self, outcome: Outcome) -> Result<()> {
        self.slots.close();
        self.container.close(outcome).await
    }
}
