//! The work on one target.

use hostlink::forward::Forward;
use hostlink::inventory::Host;
use hostlink::run::{EnvValue, RunOptions};
use hostlink::transfer::{PutOptions, Transferred};
use hostlink::{CommandOutput, ConnectorArguments, ErrorKind, Result, StringCommand};
use tokio::io::AsyncWriteExt;

use crate::arguments::Arguments;
use crate::exit::Work;
use crate::explain::flatten;
use crate::input::Prepared;
use crate::messages::{Messages, Verbosity};
use crate::outcome::{Done, Outcome, Targets};
use crate::results::{Results, unwritable};
use crate::rsync::{Rsync, Session};
use crate::sink::LiveSink;
use crate::stop::Stop;
use crate::transfer::{Destination, Get, for_target, inside};
use crate::{forward, shell};

/// The maximum output of a command that is kept, for its JSON or to be checked, in bytes.
const KEPT: usize = 4 << 20;

/// The work for each target, ready to start.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) arguments: Arguments,
    pub(crate) targets: Targets,
    pub(crate) output: Output,
    pub(crate) results: Results,
    pub(crate) messages: Messages,
    pub(crate) stop: Stop,
    pub(crate) verbosity: Verbosity,
}

/// The format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// One JSON object per target.
    Json,
    /// The bytes of the only target.
    Plain,
    /// Lines prefixed with the target's name.
    Prefixed,
}

/// An action whose inputs are ready.
#[derive(Debug)]
pub(crate) enum Task {
    Exec {
        command: StringCommand,
        stdin: Option<Prepared>,
    },
    PutFile {
        source: Prepared,
        /// The name of the source: what it is called in a directory.
        name: Option<String>,
        destination: String,
        options: PutOptions,
    },
    PutDirectory {
        source: std::path::PathBuf,
        destination: String,
        options: PutOptions,
    },
    Get(Get),
    Rsync(Rsync),
    /// `terminal_kind` is `TERM`.
    Shell {
        command: StringCommand,
        terminal_kind: Option<String>,
    },
    Forward(Vec<Forward>),
}

impl Job {
    /// Runs it.
    pub(crate) async fn run(&self, host: &Host) -> Outcome {
        let arguments = self.arguments.of(host).await?;
        let run = RunOptions::default().with_printing(self.verbosity.has_steps(), false);
        Ok(match &self.task {
            Task::Exec { command, stdin } => {
                Done::Ran(self.exec(host, command, stdin.as_ref(), arguments, run).await?)
            }
            Task::PutFile { source, name, destination, options } => {
                let options = PutOptions { arguments, run, ..options.clone() };
                let destination = for_target(destination, host.name());
                let put = put_file(host, source, name.as_deref(), &destination, &options);
                Done::Moved(put.await?)
            }
            Task::PutDirectory { source, destination, options } => {
                let options = PutOptions { arguments, run, ..options.clone() };
                let destination = for_target(destination, host.name());
                Done::Moved(host.put_dir(source, &destination, &options).await?)
            }
            Task::Get(get) => Done::Moved(self.get(host, get, arguments, run).await?),
            Task::Rsync(rsync) => {
                let (messages, stop) = (&self.messages, &self.stop);
                let session = Session { host, rsync, messages, stop };
                Done::Ran(session.run(arguments, run).await?)
            }
            Task::Shell { command, terminal_kind } => {
                let mut arguments = arguments;
                if let Some(kind) = terminal_kind {
                    let env = arguments.env.get_or_insert_default();
                    env.entry("TERM".into()).or_insert_with(|| EnvValue::from(kind.as_str()));
                }
                let (results, messages) = (&self.results, &self.messages);
                Done::Left(shell::run(host, command, &arguments, results, messages).await?)
            }
            Task::Forward(forwards) => match forward::run(host, forwards, &self.messages).await? {},
        })
    }

    /// Returns whether [`run`](Self::run) itself handles the order to stop, to end a process of
    /// this machine cleanly.
    pub(crate) fn stops_itself(&self) -> bool {
        matches!(self.task, Task::Rsync(_))
    }

    pub(crate) fn work(&self) -> Work {
        match self.task {
            Task::Exec { .. } | Task::Rsync(_) | Task::Shell { .. } | Task::Forward(_) => {
                Work::Command
            }
            Task::PutFile { .. } | Task::PutDirectory { .. } | Task::Get(_) => Work::Transfer,
        }
    }

    async fn exec(
        &self,
        host: &Host,
        command: &StringCommand,
        stdin: Option<&Prepared>,
        mut arguments: ConnectorArguments,
        options: RunOptions,
    ) -> Result<CommandOutput> {
        if let Some(stdin) = stdin {
            arguments.stdin = Some(stdin.stdin());
        }
        if self.output == Output::Json {
            let options = options.with_output_limit(KEPT);
            let output = host.run_shell_command_with(command, &arguments, &options).await?;
            self.report_rest(host, &output, "are kept for --json");
            return Ok(output);
        }
        let prefix =
            (self.output == Output::Prefixed).then(|| format!("[{}] ", flatten(host.name())));
        let mut sink = LiveSink::new(self.results.clone(), self.messages.clone(), prefix);
        // Output that was passed on is not kept, unless it is checked later.
        let is_checked = arguments.retry_until.is_some();
        let options = options.with_output_limit(if is_checked { KEPT } else { 0 });
        let ended = host.run_streaming(command, &arguments, &options, &mut sink).await;
        let finished = sink.finish().await.map_err(unwritable);
        let output = ended.and_then(|output| finished.map(|()| output))?;
        if is_checked {
            self.report_rest(host, &output, "were searched for --retry-until");
        }
        Ok(output)
    }

    /// Reports that not all output was kept.
    fn report_rest(&self, host: &Host, output: &CommandOutput, use_of_it: &str) {
        if output.truncated() {
            let (name, kept) = (flatten(host.name()), KEPT >> 20);
            let message = format!("{name}: only the first {kept} MiB of the output {use_of_it}");
            self.messages.line(message);
        }
    }

    async fn get(
        &self,
        host: &Host,
        get: &Get,
        arguments: ConnectorArguments,
        run: RunOptions,
    ) -> Result<Transferred> {
        let mut options = get.options.clone().with_arguments(arguments);
        options.run = run;
        let destination = get.destination_for(host.name());
        if let Destination::Path(path) = &destination {
            get.make_directories(path)?;
        }
        match destination {
            Destination::Path(path) if get.recursive => {
                host.get_dir(&get.source, path, &options).await
            }
            Destination::Path(path) => host.get_file(&get.source, path, &options).await,
            Destination::Standard => {
                let mut stdout = self.results.writer().await;
                let sink = hostlink::transfer::Sink::Writer(&mut *stdout);
                let moved = host.get_file(&get.source, sink, &options).await?;
                stdout.flush().await.map_err(unwritable)?;
                Ok(moved)
            }
        }
    }
}

/// Puts a file; into the destination if that is a directory, as cp(1) does.
async fn put_file(
    host: &Host,
    source: &Prepared,
    name: Option<&str>,
    destination: &str,
    options: &PutOptions,
) -> Result<Transferred> {
    let put = host.put_file(source.source().await?, destination, options).await;
    match (put, name) {
        (Err(error), Some(name)) if error.kind() == ErrorKind::IsADirectory => {
            host.put_file(source.source().await?, &inside(destination, name), options).await
        }
        (put, _) => put,
    }
}
