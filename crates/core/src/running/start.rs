//! Starts a command on a connection, so that one that is cancelled midway does not run on.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::contract::connection::{Slot, SpawnOptions};
use crate::running::begin::{Lacks, NotBegun, Starting};
use crate::running::begun::Begun;
use crate::running::feed::{Form, Input};
use crate::running::handshake::START_LIMIT;
use crate::running::kill::Killer;
use crate::running::limits::{Clock, Limits};
use crate::running::shared::Shared;
use crate::running::sudo_words::{rule_out_a_password, with_cause};
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::shell::script::{Channel, Groups, Script};
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::output::{Collector, RunOptions};
use crate::values::report::Event;
use crate::values::secret::Secret;

/// The first and the longest wait between two tries on a target that is busy.
const BUSY_WAITS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// A script to be started, with its options.
pub(crate) struct Start<'a> {
    link: &'a Shared,
    command: &'a StringCommand,
    pub(crate) arguments: Cow<'a, ConnectorArguments>,
    pub(crate) options: SpawnOptions,
    pub(crate) limits: Limits,
    /// The command reads something else than what is typed, if it is on a terminal.
    pub(crate) has_input: bool,
    /// A kill is to end its whole session.
    pub(crate) whole_session: bool,
    /// The command is reported to the link's [`Reporter`](crate::Reporter).
    pub(crate) print_input: bool,
    /// Counts it until it has ended.
    pub(crate) tracker: Option<TaskTracker>,
    /// The part of the limit for everything that has passed. Waiting for a user does not count.
    pub(crate) spent: Duration,
}

impl<'a> Start<'a> {
    pub(crate) fn new(
        link: &'a Shared,
        command: &'a StringCommand,
        arguments: &'a ConnectorArguments,
        options: SpawnOptions,
    ) -> Self {
        let goes_elsewhere = arguments.chdir.as_ref().is_some_and(|path| path.starts_with('/'));
        let options = SpawnOptions { starts_anywhere: goes_elsewhere, ..options };
        let limits = Limits {
            whole: arguments.timeout,
            start: arguments.is_privileged().then_some(START_LIMIT),
            stall: None,
            silence: RunOptions::default().output_silence,
        };
        Self {
            link,
            command,
            arguments: Cow::Borrowed(arguments),
            options,
            limits,
            spent: Duration::ZERO,
            has_input: false,
            whole_session: false,
            print_input: false,
            tracker: None,
        }
    }

    /// Asks for sudo's password, if it is wanted before sudo asks, or has been typed already.
    pub(crate) async fn ask_for_password(&mut self) -> Result<()> {
        if let Some(password) = self.link.ask_for_password(&self.arguments).await? {
            self.answer(password);
        }
        Ok(())
    }

    /// Starts the command, again if its privilege tool turns out to lack something that it can
    /// have. It has started when this returns.
    ///
    /// `input` is taken if it is sent already.
    pub(crate) async fn begin(&mut self, input: &mut Option<Input>) -> Result<Begun> {
        loop {
            let clock = Arc::new(Clock::start(self.limits, self.spent));
            let starter = Starter::new(self)?;
            if self.print_input {
                self.link.report(Event::Input(starter.script.display()));
            }
            let starting = clock.within(starter.start()).await?;
            let NotBegun { error, lacks } = match starting.begin(clock.clone(), input).await {
                Ok(begun) => return Ok(begun),
                Err(not_begun) => not_begun,
            };
            let output = Collector::new(None).finish(None, false, clock.elapsed());
            let error = self.failed(error, &starter.script).with_output(output);
            self.spent += clock.elapsed();
            if lacks.terminal && starter.can_have_terminal() {
                self.link.give_terminals();
            } else if self.may_lack_password(lacks, &error) {
                let password = self.link.sudo_password().await.map_err(|failed| {
                    let said = error.stderr_tail().unwrap_or_default().as_bytes();
                    with_cause(failed.with_stderr_tail(said), said)
                })?;
                self.answer(password);
            } else {
                return Err(error);
            }
        }
    }

    /// Starts the command in a place that the caller has. What its privilege tool lacks is not
    /// asked for.
    pub(crate) async fn begin_in_place(&self) -> Result<Begun> {
        let starter = Starter::new(self)?;
        let clock = Arc::new(Clock::start(self.limits, self.spent));
        let starting = starter.spawn(Slot::default()).await?;
        let begun = starting.begin(clock, &mut None).await;
        begun.map_err(|NotBegun { error, .. }| self.failed(error, &starter.script))
    }

    /// Notes what an error says of the password, and masks secrets.
    fn failed(&self, error: Error, script: &Script) -> Error {
        self.link.note_refusal(self.arguments.sudo_password.as_ref(), &error);
        error.masking(script.secrets())
    }

    fn may_lack_password(&self, lacks: Lacks, error: &Error) -> bool {
        let ConnectorArguments { sudo, sudo_password, .. } = &*self.arguments;
        let may_ask = !self.options.urgent && *sudo == Some(true) && sudo_password.is_none();
        may_ask && lacks.password && !rule_out_a_password(error, &self.arguments)
    }

    fn answer(&mut self, password: Secret) {
        self.arguments = Cow::Owned(self.arguments.as_ref().clone().answered(password));
    }
}

/// Starts one script.
struct Starter {
    link: Shared,
    script: Arc<Script>,
    options: SpawnOptions,
    form: Form,
    /// The privilege to kill it; `None` if it is not to be killed.
    privilege: Option<ConnectorArguments>,
    whole_session: bool,
    tracker: Option<TaskTracker>,
}

impl Starter {
    /// An urgent one is a kill, which is not killed in turn.
    ///
    /// # Errors
    ///
    /// As [`Script::new`].
    fn new(start: &Start<'_>) -> Result<Self> {
        let Start { link, command, arguments, has_input, .. } = start;
        let connection = link.connection();
        let mut options = start.options.clone();
        if options.terminal.is_none() && arguments.is_privileged() {
            let gives = connection.features().terminal_beside_pipes;
            let asked = arguments.asked_on_terminal();
            if let Some(tool) = asked.filter(|_| !gives) {
                let message = format!(
                    "{tool} asks for its password on a terminal, and there is none: set get_pty"
                );
                let error = Error::new(ErrorKind::Privilege, message);
                return Err(error.with_remedy(&["_get_pty"]));
            }
            options.asked_on_terminal |= gives && (asked.is_some() || link.wants_terminal());
        }
        let (channel, form) = match options.terminal {
            Some(_) if *has_input => {
                (Channel::Terminal { has_input: true }, Form::EncodedOnTerminal)
            }
            Some(_) => (Channel::Terminal { has_input: false }, Form::Terminal),
            None => (Channel::Pipes, Form::Pipe),
        };
        let groups = if connection.features().leads_process_groups {
            Groups::Known
        } else {
            Groups::LookedUp
        };
        let fits = |script: &[u8]| connection.fits(script, &options);
        let script = Script::new(command, arguments, channel, groups, fits)?;
        Ok(Self {
            link: (*link).clone(),
            script: Arc::new(script),
            privilege: (!options.urgent).then(|| ConnectorArguments {
                // A tool that wanted a terminal for the command wants one for its kill.
                get_pty: Some(arguments.is_privileged() && options.terminal.is_some()),
                ..arguments.privilege_only()
            }),
            options,
            form,
            whole_session: start.whole_session,
            tracker: start.tracker.clone(),
        })
    }

    /// Returns whether its tool can be given a terminal that it does not have yet.
    fn can_have_terminal(&self) -> bool {
        self.form == Form::Pipe
            && !self.options.asked_on_terminal
            && self.link.connection().features().terminal_beside_pipes
    }

    /// Starts the script as soon as there is a place for it.
    async fn start(&self) -> Result<Starting> {
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

    /// Spawns in a task of its own, which goes on if this is dropped: a process that no caller
    /// waits for any more is ended as soon as it is there.
    async fn spawn(&self, slot: Slot) -> Result<Starting> {
        let (link, script, options) =
            (self.link.clone(), self.script.clone(), self.options.clone());
        let (privilege, form, whole_session) =
            (self.privilege.clone(), self.form, self.whole_session);
        let until_killed = self.tracker.as_ref().map(TaskTracker::token);
        let (sender, receiver) = oneshot::channel();
        self.link.in_background(async move {
            let spawned = link.connection().spawn(&script, &options).await;
            let starting = spawned.map(|process| {
                Starting::new(process, &script, form, slot, |control| {
                    Some(Killer::new(
                        link.clone(),
                        control,
                        privilege?,
                        whole_session,
                        until_killed,
                    ))
                })
            });
            // Refused if no caller waits: dropping it ends it.
            let _ = sender.send(starting);
        });
        let gone = |_| Error::new(ErrorKind::Connect, "the start of the command broke off");
        receiver.await.map_err(gone)?
    }
}
