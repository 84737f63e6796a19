//! The connection to a root: everything goes through the one to the target that it is on.
//!
//! # How a root is entered
//!
//! `ChrootConnection` is built on a `Link`: each script is an argument of `exec chroot ROOT sh -c`,
//! started by `Link::spawn_command` on the outer link with the privilege to enter. What the outer
//! link's script announces is heard there, so the process that is handed over writes what the inner
//! script writes, and that is heard by the inner link. Two links then know whom to kill: the inner
//! one may lack /proc, and the outer one does not know what `_sudo` inside has put into a session
//! of its own. So the handed control kills through the outer link, and the inner link waits for
//! that (`ProcessControl::has_ended`) before it sends a kill of its own, which would find nobody
//! and prove nothing. Confinement is nowhere checked: paths are only ever resolved by processes
//! inside. That is why there is no `FileTransfer`, and no way to Unix sockets.
//!
//! Mounts are made in the command's own mount namespace, by `unshare` and a few lines of shell, so
//! nobody has to take them away.

use async_trait::async_trait;
use hostlink_core::transfer::FileProgram;
use hostlink_core::{
    Connection, Duplex, Endpoint, Error, ErrorKind, Features, Forward, Forwarding, Forwards, Link,
    MAX_ARGUMENT, Outcome, Process, Result, Script, Slot, Sockets, SpawnOptions, make_unix_command,
};

use crate::entry::{self, Tools};
use crate::settings::Settings;

/// What core writes around a command of ours, at most.
const ANNOUNCEMENTS: usize = 2 * 1024;

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

    /// A path leads through the links of the root it is meant in, which only a process inside
    /// follows rightly.
    fn refuse_socket(&self, endpoint: &Endpoint) -> Result<()> {
        let Endpoint::Unix(path) = endpoint else { return Ok(()) };
        let message = format!(
            "{path}: sockets inside {} cannot be reached, since a link in it could lead out; TCP ports can",
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
            // The shell outside becomes chroot, and that becomes the one inside.
            leads_process_groups: outer.leads_process_groups
                && !self.settings.privilege.is_privileged(),
            is_this_machine: false,
            file_program: FileProgram::Cat,
            ..outer
        }
    }

    /// The script is an argument of chroot, whatever way it takes to there. On a terminal there is
    /// only one.
    fn fits(&self, script: &[u8], options: &SpawnOptions) -> bool {
        if script.len() > MAX_ARGUMENT {
            return false;
        }
        if options.terminal.is_none() {
            return true;
        }
        let line = entry::line(&self.tools, &self.settings.root, script);
        make_unix_command(&line, &self.settings.privilege).is_ok_and(|line| {
            let mut line = line.get_raw_value();
            line.resize(line.len() + ANNOUNCEMENTS, b'\n');
            self.outer().fits(&line, options)
        })
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
