//! Runs commands on a link: one attempt, and attempts with retries.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::contract::connection::SpawnOptions;
use crate::running::handshake::START_LIMIT;
use crate::running::pump::{Input, Limits, pump};
use crate::running::shared::Shared;
use crate::running::start::Starter;
use crate::running::sudo_words;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, OutputSink, Stream};
use crate::values::lines::{LineSplitter, OutputLine};
use crate::values::output::{Collector, CommandOutput, RunOptions};
use crate::values::report::Event;
use crate::values::secret::Secret;
use crate::values::stdin::Stdin;

/// A sink for output that nobody wants as it arrives.
pub(crate) struct Ignore;

#[async_trait]
impl OutputSink for Ignore {
    async fn write(&mut self, _stream: Stream, _bytes: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a command as often as `retries` and `retry_until` ask for.
pub(crate) async fn run(
    link: &Shared,
    command: &StringCommand,
    arguments: &ConnectorArguments,
    options: &RunOptions,
    live: &mut dyn OutputSink,
) -> Result<CommandOutput> {
    let mut left = arguments.retries.unwrap_or(0);
    if left > 0 && arguments.stdin.as_ref().is_some_and(|stdin| !stdin.can_reopen()) {
        let message = "retries need a stdin that can be read again: bytes or a file";
        return Err(Error::new(ErrorKind::Data, message).with_target(link.name()));
    }
    loop {
        let attempt = Attempt::new(link, command, arguments, options, live);
        let result = attempt.run().await;
        if left == 0 || !wants_another(&result, arguments) {
            return result.map_err(|error| error.with_target(link.name()));
        }
        left -= 1;
        link.report(Event::Detail(&format!("running it again, {left} retries left after this")));
        tokio::time::sleep(arguments.retry_delay.unwrap_or(RETRY_DELAY)).await;
    }
}

/// pyinfra's default.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// A command that failed is run again, and so is a time-out: `retries` is the caller's word that it
/// may.
fn wants_another(result: &Result<CommandOutput>, arguments: &ConnectorArguments) -> bool {
    match result {
        Ok(output) if output.success() => {
            arguments.retry_until.as_ref().is_some_and(|until| until.wants_another(output))
        }
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::Timeout,
    }
}

/// The word of a kill may come a little after its exit.
const URGENT_SILENCE: Duration = Duration::from_millis(500);

/// One run of one command.
pub(crate) struct Attempt<'a> {
    link: &'a Shared,
    command: &'a StringCommand,
    arguments: Cow<'a, ConnectorArguments>,
    options: RunOptions,
    live: Option<&'a mut dyn OutputSink>,
    limits: Limits,
    urgent: bool,
    tracker: Option<TaskTracker>,
    /// Set once the command itself has started.
    started: Arc<AtomicBool>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        link: &'a Shared,
        command: &'a StringCommand,
        arguments: &'a ConnectorArguments,
        options: &RunOptions,
        live: &'a mut dyn OutputSink,
    ) -> Self {
        let limits = Limits {
            whole: arguments.timeout,
            start: arguments.is_privileged().then_some(START_LIMIT),
            silence: options.output_silence,
            ..Limits::default()
        };
        let options = options.clone();
        let arguments = Cow::Borrowed(arguments);
        Self {
            link,
            command,
            arguments,
            options,
            live: Some(live),
            limits,
            urgent: false,
            tracker: None,
            started: Arc::default(),
        }
    }

    /// A kill or a clean-up. It has a limit of its own, and is not killed in turn.
    fn urgent(
        link: &'a Shared,
        command: &'a StringCommand,
        arguments: &'a ConnectorArguments,
        limit: Duration,
    ) -> Self {
        let limits = Limits { whole: Some(limit), silence: URGENT_SILENCE, ..Limits::default() };
        let options = RunOptions::default();
        let arguments = Cow::Borrowed(arguments);
        let started = Arc::default();
        Self {
            link,
            command,
            arguments,
            options,
            live: None,
            limits,
            urgent: true,
            tracker: None,
            started,
        }
    }

    /// Also ends it when nothing moves for so long.
    pub(crate) fn with_stall_limit(mut self, limit: Duration) -> Self {
        self.limits.stall = Some(limit);
        self
    }

    /// Counts it in `tracker` until it has ended, or has been killed.
    pub(crate) fn tracked_by(mut self, tracker: &TaskTracker) -> Self {
        self.tracker = Some(tracker.clone());
        self
    }

    /// Sets `started` once the command itself has started.
    pub(crate) fn noting_start(mut self, started: &Arc<AtomicBool>) -> Self {
        self.started = started.clone();
        self
    }

    pub(crate) async fn run(mut self) -> Result<CommandOutput> {
        if let Some(password) = self.link.ask_for_password(&self.arguments).await? {
            self.answer(password);
        }
        let source = within(self.limits.left(), open(self.arguments.stdin.as_ref())).await?;
        let source = Input::new(source, self.link.connection().features().max_terminal_input);
        loop {
            let (ended, again) = self.once(&source).await?;
            match (again, ended) {
                (Some(Want::Terminal), _) => self.link.give_terminals(),
                (Some(Want::Password), Err(refusal)) => {
                    let answer = self.link.sudo_password().await;
                    let tail = refusal.stderr_tail().unwrap_or_default().to_owned();
                    let password = answer.map_err(|it| it.with_stderr_tail(tail.as_bytes()))?;
                    self.answer(password);
                }
                (_, ended) => return ended,
            }
        }
    }

    fn answer(&mut self, password: Secret) {
        self.arguments = Cow::Owned(self.arguments.as_ref().clone().answered(password));
    }

    /// One start, and what the command was not started for want of, if it can have that.
    async fn once(&mut self, source: &Input) -> Result<(Result<CommandOutput>, Option<Want>)> {
        let terminal = self.arguments.get_pty == Some(true);
        let has_input = self.arguments.stdin.is_some();
        let options = SpawnOptions {
            terminal: terminal.then(Default::default),
            urgent: self.urgent,
            ..SpawnOptions::default()
        };
        let mut starter =
            Starter::new(self.link, self.command, &self.arguments, options, has_input)?;
        starter.tracker = self.tracker.clone();
        let script = starter.script.clone();
        let can_have_one = self.link.connection().features().terminal_beside_pipes;
        let without_one = !terminal && !starter.options.asked_on_terminal && can_have_one;
        let started = Instant::now();
        if self.options.print_input {
            self.link.report(Event::Input(script.display()));
        }
        let mut served = within(self.limits.left(), starter.start()).await?;
        served.noted = Some(self.started.clone());
        self.limits.spent += started.elapsed();
        let progress = served.progress.clone();
        let mut tee = Tee {
            collector: Collector::new(self.options.output_limit),
            live: match &mut self.live {
                Some(live) => Some(&mut **live),
                None => None,
            },
            lines: self.options.print_output.then(|| LineSplitter::with_limit(LONGEST_LINE)),
            link: self.link,
        };
        let ended = pump(served, &script, source, terminal, self.limits, &mut tee).await;
        let collector = tee.finish();
        let ended = match ended {
            Ok(ended) => {
                let success =
                    ended.status.code().is_some_and(|code| self.arguments.is_success(code));
                let mut output = collector.finish(Some(ended.status), success, started.elapsed());
                output.output_open = ended.output_open;
                output.secrets = script.secrets().to_vec();
                Ok(output)
            }
            Err(error) => {
                let output = collector.finish(None, false, started.elapsed());
                self.link.note_refusal(self.arguments.sudo_password.as_ref(), &error);
                // bash prints the line that it cannot parse.
                Err(error.masking(script.secrets()).with_output(output))
            }
        };
        let ConnectorArguments { sudo, sudo_password, .. } = &*self.arguments;
        let may_ask = !self.urgent && *sudo == Some(true) && sudo_password.is_none();
        let is_no_password =
            |error: &Error| sudo_words::rule_out_a_password(error, &self.arguments);
        let want = if without_one && progress.wants_terminal.load(Ordering::Relaxed) {
            Some(Want::Terminal)
        } else if may_ask
            && progress.may_want_password.load(Ordering::Relaxed)
            && !ended.as_ref().is_err_and(is_no_password)
        {
            Some(Want::Password)
        } else {
            None
        };
        Ok((ended, want))
    }
}

/// What a privilege tool lacked.
enum Want {
    Terminal,
    Password,
}

/// Runs a kill or a clean-up, which is not killed in turn.
pub(crate) fn urgently<'a>(
    link: &'a Shared,
    command: &'a StringCommand,
    arguments: &'a ConnectorArguments,
    limit: Duration,
) -> BoxFuture<'a, Result<CommandOutput>> {
    Box::pin(Attempt::urgent(link, command, arguments, limit).run())
}

async fn open(stdin: Option<&Stdin>) -> Result<Option<BoxRead>> {
    match stdin {
        Some(stdin) => stdin.open().await.map(Some),
        None => Ok(None),
    }
}

/// The limit holds for the start too: a channel, or a FIFO, may take its time to open.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(limit) = limit else { return work.await };
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Timeout, format!("not started after {limit:?}")))
    })
}

/// A longer line is reported in pieces: memory does not grow with it.
const LONGEST_LINE: usize = 1024 * 1024;

/// Keeps output, passes it on and reports its lines.
struct Tee<'a> {
    collector: Collector,
    live: Option<&'a mut dyn OutputSink>,
    lines: Option<LineSplitter>,
    link: &'a Shared,
}

impl Tee<'_> {
    fn finish(self) -> Collector {
        if let Some(lines) = self.lines {
            lines.finish(|line| report_line(self.link, &line));
        }
        self.collector
    }
}

fn report_line(link: &Shared, line: &OutputLine) {
    link.report(Event::Output(line));
}

#[async_trait]
impl OutputSink for Tee<'_> {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        self.collector.push(stream, bytes);
        if let Some(lines) = &mut self.lines {
            lines.push(stream, bytes, |line| report_line(self.link, &line));
        }
        match &mut self.live {
            Some(live) => live.write(stream, bytes).await,
            None => Ok(()),
        }
    }
}
