//! Starts a script on a connection, so that one that is given up midway does not run on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::contract::connection::{Slot, SpawnOptions};
use crate::contract::process::Process;
use crate::running::kill::Killer;
use crate::running::served::Served;
use crate::running::shared::Shared;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::shell::script::{Channel, Groups, Script};
use crate::values::error::{Error, ErrorKind, Result};

/// The first and the longest wait between two tries on a target that is busy.
const BUSY_WAITS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// What is to be started, and where.
pub(crate) struct Starter {
    pub(crate) link: Shared,
    pub(crate) script: Arc<Script>,
    pub(crate) options: SpawnOptions,
    /// What it takes to kill it; `None` if it is not to be killed.
    pub(crate) privilege: Option<ConnectorArguments>,
    /// A kill is to end its whole session.
    pub(crate) whole_session: bool,
    /// Counts it until it has ended.
    pub(crate) tracker: Option<TaskTracker>,
}

impl Starter {
    /// What runs `command` on `link`. An urgent one is a kill, which is not killed in turn.
    /// `has_input`: it reads something else than what is typed, where it is on a terminal.
    ///
    /// # Errors
    ///
    /// As [`Script::new`].
    pub(crate) fn new(
        link: &Shared,
        command: &StringCommand,
        arguments: &ConnectorArguments,
        options: SpawnOptions,
        has_input: bool,
    ) -> Result<Self> {
        let connection = link.connection();
        let mut options = options;
        if options.terminal.is_none() && arguments.is_privileged() {
            let gives = connection.features().terminal_beside_pipes;
            if arguments.is_asked_on_terminal() && !gives {
                let message =
                    "doas asks for its password on a terminal, and there is none: set get_pty";
                return Err(Error::new(ErrorKind::Privilege, message));
            }
            options.asked_on_terminal |=
                gives && (arguments.is_asked_on_terminal() || link.wants_terminal());
        }
        let channel = match options.terminal {
            Some(_) => Channel::Terminal { has_input },
            None => Channel::Pipes,
        };
        let groups = if connection.features().leads_process_groups {
            Groups::Known
        } else {
            Groups::LookedUp
        };
        let fits = |script: &[u8]| connection.fits(script, &options);
        let script = Script::new(command, arguments, channel, groups, fits)?;
        Ok(Self {
            link: link.clone(),
            script: Arc::new(script),
            privilege: (!options.urgent).then(|| ConnectorArguments {
                // A tool that wanted a terminal for the command wants one for its kill.
                get_pty: Some(arguments.is_privileged() && options.terminal.is_some()),
                ..arguments.privilege_only()
            }),
            options,
            whole_session: false,
            tracker: None,
        })
    }

    /// Starts the script as soon as there is a place for it.
    pub(crate) async fn start(&self) -> Result<Served> {
        let (mut wait, longest) = BUSY_WAITS;
        loop {
            let slot = self.link.connection().slot(&self.options).await?;
            match self.spawn(slot).await {
                Err(error) if error.kind() == ErrorKind::Busy => {}
                started => return started,
            }
            tokio::time::sleep(wait).await;
            wait = longest.min(wait * 2);
        }
    }

    /// Starts the script at once, in a place that the caller has, and hands its streams over.
    pub(crate) async fn hand_over(&self) -> Result<Process> {
        self.spawn(Slot::default()).await?.hand_over(&self.script).await
    }

    /// Spawns in a task of its own, which goes on where this is dropped: a process that nobody
    /// waits for any more is ended as soon as it is there.
    async fn spawn(&self, slot: Slot) -> Result<Served> {
        let (link, script, options) =
            (self.link.clone(), self.script.clone(), self.options.clone());
        let privilege = self.privilege.clone();
        let whole_session = self.whole_session;
        let until_killed = self.tracker.as_ref().map(TaskTracker::token);
        let (sender, receiver) = oneshot::channel();
        self.link.in_background(async move {
            let spawned = link.connection().spawn(&script, &options).await;
            let served = spawned.map(|process| {
                Served::new(process, &script, options.terminal.is_some(), slot, |control| {
                    Some(Killer::new(
                        link.clone(),
                        control,
                        privilege?,
                        whole_session,
                        until_killed,
                    ))
                })
            });
            // Refused where nobody waits: dropping it ends it.
            let _ = sender.send(served);
        });
        let gone = |_| Error::new(ErrorKind::Connect, "the start of the command broke off");
        receiver.await.map_err(gone)?
    }
}
