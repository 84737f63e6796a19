//! Runs commands on a link: one attempt, and attempts with retries.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio_util::task::TaskTracker;

use crate::contract::connection::SpawnOptions;
use crate::running::begun::Begun;
use crate::running::feed::Input;
use crate::running::limits::Clock;
use crate::running::shared::Shared;
use crate::running::start::Start;
use crate::shell::arguments::{ConnectorArguments, default_of};
use crate::shell::command::StringCommand;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, OutputSink, Stream};
use crate::values::lines::{LineSplitter, OutputLine};
use crate::values::output::{Collector, CommandOutput, RunOptions};
use crate::values::report::Event;
use crate::values::stdin::Stdin;

/// A sink for output that is not wanted as it arrives.
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
    let mut left = arguments.retries.unwrap_or_else(|| default_of("_retries"));
    if left > 0 && arguments.stdin.as_ref().is_some_and(|stdin| !stdin.can_reopen()) {
        let message = "retries need a stdin that can be read again: bytes or a file";
        return Err(Error::new(ErrorKind::Data, message).with_target(link.name()));
    }
    loop {
        let attempt = Attempt::new(link, command, arguments, options, Some(&mut *live));
        let result = attempt.run().await;
        if left == 0 || !wants_another(&result, arguments) {
            return result.map_err(|error| error.with_target(link.name()));
        }
        left -= 1;
        link.report(Event::Detail(&format!("running it again, {left} retries left after this")));
        let delay = arguments.retry_delay.unwrap_or_else(|| default_of("_retry_delay"));
        tokio::time::sleep(delay).await;
    }
}

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

/// How much is kept of what it says.
const URGENT_OUTPUT: usize = 64 * 1024;

/// One run of one command.
pub(crate) struct Attempt<'a> {
    link: &'a Shared,
    start: Start<'a>,
    options: RunOptions,
    live: Option<&'a mut dyn OutputSink>,
}

/// A run whose command has started.
pub(crate) struct Started<'a> {
    attempt: Attempt<'a>,
    begun: Begun,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        link: &'a Shared,
        command: &'a StringCommand,
        arguments: &'a ConnectorArguments,
        options: &RunOptions,
        live: Option<&'a mut dyn OutputSink>,
    ) -> Self {
        let spawn = SpawnOptions {
            terminal: (arguments.get_pty == Some(true)).then(Default::default),
            ..SpawnOptions::default()
        };
        let mut start = Start::new(link, command, arguments, spawn);
        start.limits.silence = options.output_silence;
        start.has_input = arguments.stdin.is_some();
        start.print_input = options.print_input;
        Self { link, start, options: options.clone(), live }
    }

    /// A kill or a clean-up. It has a limit of its own, and is not killed in turn.
    fn urgent(
        link: &'a Shared,
        command: &'a StringCommand,
        arguments: &'a ConnectorArguments,
        limit: Duration,
    ) -> Self {
        let options = RunOptions {
            output_silence: URGENT_SILENCE,
            output_limit: Some(URGENT_OUTPUT),
            ..RunOptions::default()
        };
        let mut attempt = Self::new(link, command, arguments, &options, None);
        attempt.start.options.urgent = true;
        attempt.start.limits.whole = Some(limit);
        attempt
    }

    /// Also ends it when nothing moves for this long.
    pub(crate) fn with_stall_limit(mut self, limit: Duration) -> Self {
        self.start.limits.stall = Some(limit);
        self
    }

    /// Counts it in `tracker` until it has ended, or has been killed.
    pub(crate) fn tracked_by(mut self, tracker: &TaskTracker) -> Self {
        self.start.tracker = Some(tracker.clone());
        self
    }

    /// Of its limit for everything, this much has passed already.
    pub(crate) fn after(mut self, spent: Duration) -> Self {
        self.start.spent = spent;
        self
    }

    pub(crate) async fn run(self) -> Result<CommandOutput> {
        self.begin().await?.finish().await
    }

    /// Starts the command.
    pub(crate) async fn begin(mut self) -> Result<Started<'a>> {
        self.start.ask_for_password().await?;
        let clock = Clock::start(self.start.limits, self.start.spent);
        let source = clock.within(open(self.start.arguments.stdin.as_ref())).await?;
        self.start.spent += clock.elapsed();
        let max_encoded = self.link.connection().features().max_terminal_input;
        let mut input = Some(Input { source, max_encoded });
        let mut begun = self.start.begin(&mut input).await?;
        if let Some(input) = input {
            begun.feed(input);
        }
        Ok(Started { attempt: self, begun })
    }
}

impl Started<'_> {
    /// Waits until it has ended.
    pub(crate) async fn finish(self) -> Result<CommandOutput> {
        let Self { attempt: Attempt { link, start, options, mut live }, begun } = self;
        let (script, clock) = (begun.script().clone(), begun.clock().clone());
        let mut tee = Tee {
            collector: Collector::new(options.output_limit),
            live: match &mut live {
                Some(live) => Some(&mut **live),
                None => None,
            },
            lines: options.print_output.then(|| LineSplitter::with_limit(LONGEST_LINE)),
            link,
        };
        let ended = begun.finish(&mut tee).await;
        let collector = tee.finish();
        match ended {
            Ok(ended) => {
                let success =
                    ended.status.code().is_some_and(|code| start.arguments.is_success(code));
                let mut output = collector.finish(Some(ended.status), success, clock.elapsed());
                output.output_open = ended.output_open;
                output.secrets = script.secrets().to_vec();
                Ok(output)
            }
            Err(error) => {
                let output = collector.finish(None, false, clock.elapsed());
                Err(error.with_output(output))
            }
        }
    }
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
