//! The connection to a root directory, through the connection to its target.
//!
//! # How a root is entered
//!
//! `ChrootConnection` is built on a `Link`: each script is an argument of `exec chroot ROOT sh -c`,
//! started by `Link::spawn_command` on the outer link with the privilege to enter. The outer link
//! reads the announcements of its own script, so the process that it returns writes only what the
//! inner script writes, and the inner link reads the inner announcements. Two links then know which
//! processes to kill: the inner one may lack /proc, and the outer one does not know a session that
//! `_sudo` has made inside. So the control of the returned process kills through the outer link,
//! and the inner link waits for that (`ProcessControl::has_ended`) before it sends its own kill,
//! which would otherwise find no process and prove nothing. No code checks confinement: only
//! processes inside the root resolve paths. That is why there is no `FileTransfer`, and no `dial`
//! to Unix sockets.
//!
//! Mounts are made in the command's own mount namespace, by `unshare` and a few lines of shell, so
//! they need no cleanup.

use async_trait::async_trait;
use hostlink_core::transfer::FileProgram;
use hostlink_core::{
    Connection, Duplex, Endpoint, Error, ErrorKind, Features, Forward, Forwarding, Forwards, Link,
    MAX_ARGUMENT, Outcome, Process, Result, Script, Slot, Sockets, SpawnOptions,
};

use crate::entry::{self, Tools};
use crate::settings::Settings;

/// A root directory of a target.
#[derive(Debug)]
pub(crate) struct ChrootConnection {
    outer: Link,
    settings: Settings,
    tools: Tools,
}

impl ChrootConnection {
    pub(crate) fn new(outer: Link, settings: Settings, tools: Tools) -> Self {
        Self { outer, settings, tools }
    }

    fn outer(&self) -> &dyn Connection {
        self.outer.connection()
    }

    /// A path of the root may contain symlinks, which only a process inside resolves correctly.
    fn refuse_socket(&self, endpoint: &Endpoint) -> Result<()> {
        let Endpoint::Unix(path) = endpoint else { return Ok(()) };
        let message = format!(
            "{path}: sockets inside {} cannot be reached, since a symlink in it could lead out; use a TCP port",
            self.settings.root
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

#[async_trait]
impl Connection for ChrootConnection {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        self.outer().slot(options).await
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        let line = entry::line(&self.tools, &self.settings.root, script.argument());
        self.outer.spawn_command(&line, &self.settings.privilege, options).await
    }

    fn features(&self) -> Features {
        let outer = self.outer().features();
        Features {
            // The shell outside becomes chroot, and that becomes the shell inside.
            leads_process_groups: outer.leads_process_groups
                && !self.settings.privilege.is_privileged(),
            is_this_machine: false,
            file_program: FileProgram::Cat,
            ..outer
        }
    }

    /// The script is an argument of chroot, however the line gets there.
    fn fits(&self, script: &[u8], options: &SpawnOptions) -> bool {
        let line = entry::line(&self.tools, &self.settings.root, script);
        script.len() <= MAX_ARGUMENT
            && self.outer.fits_command(line, &self.settings.privilege, options)
    }

    async fn probe(&self) -> Result<()> {
        self.outer().probe().await
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        self.outer().sockets()?;
        Some(self)
    }
}

#[async_trait]
impl Sockets for ChrootConnection {
    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        self.refuse_socket(to)?;
        self.outer.dial(to).await
    }

    fn forwards(&self) -> Option<&dyn Forwards> {
        self.outer().sockets()?.forwards()?;
        Some(self)
    }
}

#[async_trait]
impl Forwards for ChrootConnection {
    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        match forward {
            Forward::Local { to: there, .. } | Forward::Remote { listen: there, .. } => {
                self.refuse_socket(there)?;
            }
            Forward::Dynamic { .. } => {}
        }
        self.outer.forward(forward).await
    }
}
