//! A live link to one target, as users hold it.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::contract::connection::{Connection, Outcome, SpawnOptions};
use crate::contract::context::Context;
use crate::contract::forward::{Endpoint, Forward, Forwarding};
use crate::contract::process::{Process, TerminalSize};
use crate::running::handshake::START_LIMIT;
use crate::running::run::{self, Ignore};
use crate::running::shared::Shared;
use crate::running::start::Start;
use crate::running::terminal::{self, Terminal};
use crate::shell::arguments::ConnectorArguments;
use crate::shell::builder::make_unix_command;
use crate::shell::command::StringCommand;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{Duplex, OutputSink};
use crate::values::output::{CommandOutput, RunOptions};

/// A live link to one target: runs commands, moves files, closes. Clones share the link.
///
/// Everything here is written once, over any [`Connection`].
///
/// Dropping the last clone leaves closing to the connection's own `Drop`;
/// [`disconnect`](Self::disconnect) also waits for what is still being ended.
#[derive(Clone)]
pub struct Link(Shared);

/// Time limit of a disconnect for kills and clean-ups that are under way, on a link that answers.
/// Each of them has its own limits, whose sum is below this.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(60);

/// After this time it looks whether the link still answers; then after twice as long each time, up
/// to the second one.
const CALM: Duration = Duration::from_millis(500);
const MOST_CALM: Duration = Duration::from_secs(8);

/// Time limit for a link to answer: waiting on one that stalls is useless.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The maximum size of what core writes around a command, in bytes.
const ANNOUNCEMENTS: usize = 2 * 1024;

impl Link {
    /// A link over `connection`. `name` is the target's, for reports and errors.
    pub fn new(connection: Box<dyn Connection>, name: impl Into<String>, context: Context) -> Self {
        Self::through(None, connection, name, context)
    }

    /// A link over a connection that was opened through `outer`, which is closed with it.
    pub fn through(
        outer: Option<Self>,
        connection: Box<dyn Connection>,
        name: impl Into<String>,
        context: Context,
    ) -> Self {
        let outer = outer.map(|outer| outer.0);
        Self(Shared::new(outer, connection, name.into(), context, run::urgently))
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Returns the connection that the connector opened.
    #[must_use]
    pub fn connection(&self) -> &dyn Connection {
        self.0.connection()
    }

    /// Runs a command and returns what it wrote and how it ended. A status other than success is
    /// not an error here: see [`CommandOutput::check`].
    ///
    /// # Errors
    ///
    /// The arguments cannot be met, the command could not be started, the link broke, or the time
    /// was up. By then everything that it started has been killed; [`Error::output`] has what it
    /// wrote.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the command and all that it started.
    pub async fn run_shell_command(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
    ) -> Result<CommandOutput> {
        self.run_shell_command_with(command, arguments, &RunOptions::default()).await
    }

    /// As [`run_shell_command`](Self::run_shell_command), with a say in how output is treated.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn run_shell_command_with(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        options: &RunOptions,
    ) -> Result<CommandOutput> {
        let mut sink = Ignore;
        let command = command.into();
        let ran = run::run(&self.0, &command, arguments, options, &mut sink);
        self.0.noting_failure(ran, CommandOutput::success).await
    }

    /// As [`run_shell_command_with`](Self::run_shell_command_with), and hands output to `sink` as
    /// it arrives.
    ///
    /// A slow sink slows the command down: memory does not grow when `output_limit` is set. On a
    /// retry the sink gets the further attempt's output after the first's.
    ///
    /// # Errors
    ///
    /// As there, and when the sink fails.
    pub async fn run_streaming(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        options: &RunOptions,
        sink: &mut dyn OutputSink,
    ) -> Result<CommandOutput> {
        let command = command.into();
        let ran = run::run(&self.0, &command, arguments, options, sink);
        self.0.noting_failure(ran, CommandOutput::success).await
    }

    /// Starts a command on a terminal of its own, for a user to type at: a shell
    /// ([`StringCommand::login_shell`]), an editor. It has started when this returns.
    ///
    /// `get_pty`, `stdin`, `retries` and what belongs to them mean nothing here; `timeout` holds
    /// for the whole session, and has no default.
    ///
    /// # Errors
    ///
    /// The command could not be started, or the other user's rights were not given.
    /// [`ErrorKind::Unsupported`] for a secret in the command or its environment, which a terminal
    /// would show.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the command and all that it started, and so does dropping the
    /// [`Terminal`].
    pub async fn open_terminal(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        size: TerminalSize,
    ) -> Result<Terminal> {
        let command = command.into();
        let opened = terminal::open(&self.0, &command, arguments, size).await;
        opened.map_err(|error| error.with_target(self.name()))
    }

    /// Starts a command and hands its streams over, for a connection that is built on this link:
    /// privilege has been given and the command itself has started when this returns, and its
    /// output begins with its own. Of `arguments`, privilege, directory, environment and shell
    /// count.
    ///
    /// A password that sudo turns out to want is not asked for; `use_sudo_password` asks for it
    /// before.
    ///
    /// The caller holds a place for it, from [`Connection::slot`], and passes [`ErrorKind::Busy`]
    /// on or tries again.
    ///
    /// # Errors
    ///
    /// It was provably not started: the arguments cannot be met, the other user's rights were not
    /// given, the link is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what was started.
    pub async fn spawn_command(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        options: &SpawnOptions,
    ) -> Result<Process> {
        let command = command.into();
        let mut start = Start::new(&self.0, &command, arguments, options.clone());
        start.limits.whole = None;
        start.limits.start = Some(START_LIMIT);
        start.whole_session = options.terminal.is_some();
        start.ask_for_password().await?;
        Ok(start.begin_in_place().await?.into_process())
    }

    /// Returns whether [`spawn_command`](Self::spawn_command) can start this command, for the
    /// [`fits`](Connection::fits) of a connection that is built on this link. On a terminal, the
    /// whole line has to fit; otherwise a long line is sent over standard input.
    pub fn fits_command(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        options: &SpawnOptions,
    ) -> bool {
        options.terminal.is_none()
            || make_unix_command(&command.into(), arguments).is_ok_and(|line| {
                let mut line = line.get_raw_value();
                line.resize(line.len() + ANNOUNCEMENTS, b'\n');
                self.connection().fits(&line, options)
            })
    }

    /// Opens a byte stream to a socket as seen from the target.
    ///
    /// # Errors
    ///
    /// Nothing listens there, or the connector cannot do this.
    pub async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        let dialed = match self.0.connection().sockets() {
            Some(sockets) => sockets.dial(to).await,
            None => Err(unsupported(format!("this connection cannot reach the socket {to}"))),
        };
        dialed.map_err(|error| error.with_target(self.name()))
    }

    /// Forwards a port or a socket until the value is dropped, or the link is closed.
    ///
    /// # Errors
    ///
    /// The socket to listen at cannot be had, or the connector cannot do this.
    pub async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        let sockets = self.0.connection().sockets();
        let forwarding = match sockets.and_then(|sockets| sockets.forwards()) {
            Some(forwards) => forwards.forward(forward).await,
            None => Err(unsupported("this connection forwards no ports")),
        };
        forwarding.map_err(|error| error.with_target(self.name()))
    }

    /// Waits for kills and clean-ups that are under way, as long as the link answers, then closes
    /// it, and the one that it was opened through. It may be called twice.
    ///
    /// # Errors
    ///
    /// Something of ours may be left on the target. Everything that can be closed is closed all the
    /// same.
    pub async fn disconnect(&self) -> Result<()> {
        self.disconnect_after(Outcome::Success).await
    }

    /// As [`disconnect`](Self::disconnect), for a connection that is built on this link: `outcome`
    /// says how everything went that ran on that connection.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn disconnect_after(&self, outcome: Outcome) -> Result<()> {
        let outcome = if outcome == Outcome::Success { self.0.outcome() } else { outcome };
        let settled = self.settle().await;
        let closed = self.0.connection().disconnect(outcome).await;
        let closed = closed.map_err(|error| error.with_target(self.name()));
        if let Some(outer) = self.0.outer().cloned().map(Self) {
            // Boxed: a link's end is made of another's.
            closed.and(Box::pin(outer.disconnect_after(outcome)).await)?;
        } else {
            closed?;
        }
        if settled {
            return Ok(());
        }
        let message = "a process that was being killed may still be running";
        Err(Error::new(ErrorKind::Timeout, message).with_target(self.name()))
    }

    /// Returns the state that its clones share.
    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    /// Waits until nothing is done in the background, as long as the link answers. False if
    /// something may be left.
    async fn settle(&self) -> bool {
        self.0.background().close();
        let files = async {
            if let Some(transfer) = self.0.connection().file_transfer() {
                transfer.settle().await;
            }
        };
        let settled = async { tokio::join!(self.0.background().wait(), files) };
        tokio::pin!(settled);
        let (deadline, mut calm) = (Instant::now() + BACKGROUND_LIMIT, CALM);
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if timeout(calm.min(left), &mut settled).await.is_ok() {
                return true;
            }
            // A command would be slow to start where many are being killed.
            tokio::select! {
                _ = &mut settled => return true,
                answer = timeout(ANSWER_LIMIT, self.0.connection().probe()) => {
                    if !matches!(answer, Ok(Ok(()))) {
                        return false;
                    }
                }
            }
            calm = MOST_CALM.min(calm * 2);
        }
        false
    }
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("name", &self.name())
            .field("connection", &self.0.connection())
            .finish_non_exhaustive()
    }
}
