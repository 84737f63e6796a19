//! The work on one target through its link.

use hostlink::forward::Forward;
use hostlink::run::{EnvValue, RunOptions};
use hostlink::transfer::{PutOptions, Transferred};
use hostlink::{CommandOutput, ConnectorArguments, Link, Result, StringCommand};
use tokio::io::AsyncWriteExt;

use crate::exit::Work;
use crate::explain::flatten;
use crate::input::Prepared;
use crate::messages::Messages;
use crate::outcome::{Done, Outcome};
use crate::results::{Results, unwritable};
use crate::rsync::{Rsync, Session};
use crate::sink::LiveSink;
use crate::stop::Stop;
use crate::transfer::{Destination, Get, for_target};
use crate::{forward, shell};

/// The work for each target, ready to start.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) output: Output,
    pub(crate) results: Results,
    pub(crate) messages: Messages,
    pub(crate) stop: Stop,
    pub(crate) verbose: bool,
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
    pub(crate) async fn run(&self, link: &Link, arguments: ConnectorArguments) -> Outcome {
        let run = RunOptions::default().with_printing(self.verbose, false);
        match &self.task {
            Task::Exec { command, stdin } => {
                self.exec(link, command, stdin.as_ref(), arguments, run).await.map(Done::Ran)
            }
            Task::PutFile { source, destination, options } => {
                let options = PutOptions { arguments, run, ..options.clone() };
                let source = source.source().await?;
                let destination = for_target(destination, link.name());
                link.put_file(source, &destination, &options).await.map(Done::Moved)
            }
            Task::PutDirectory { source, destination, options } => {
                let options = PutOptions { arguments, run, ..options.clone() };
                let destination = for_target(destination, link.name());
                link.put_dir(source, &destination, &options).await.map(Done::Moved)
            }
            Task::Get(get) => self.get(link, get, arguments, run).await.map(Done::Moved),
            Task::Rsync(rsync) => {
                let (messages, stop) = (&self.messages, &self.stop);
                let session = Session { link, rsync, messages, stop };
                session.run(arguments, run).await.map(Done::Ran)
            }
            Task::Shell { command, terminal_kind } => {
                let mut arguments = arguments;
                if let Some(kind) = terminal_kind {
                    let env = arguments.env.get_or_insert_default();
                    env.entry("TERM".into()).or_insert_with(|| EnvValue::from(kind.as_str()));
                }
                let (results, messages) = (&self.results, &self.messages);
                shell::run(link, command, &arguments, results, messages).await.map(Done::Left)
            }
            Task::Forward(forwards) => match forward::run(link, forwards, &self.messages).await? {},
        }
    }

    /// Whether [`run`](Self::run) itself handles the order to stop, to end a process of this
    /// machine cleanly.
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
        link: &Link,
        command: &StringCommand,
        stdin: Option<&Prepared>,
        mut arguments: ConnectorArguments,
        options: RunOptions,
    ) -> Result<CommandOutput> {
        if let Some(stdin) = stdin {
            arguments.stdin = Some(stdin.stdin());
        }
        if self.output == Output::Json {
            return link.run_shell_command_with(command, &arguments, &options).await;
        }
        let prefix =
            (self.output == Output::Prefixed).then(|| format!("[{}] ", flatten(link.name())));
        let mut sink = LiveSink::new(self.results.clone(), self.messages.clone(), prefix);
        // Output that was passed on is not kept, unless it is checked later.
        let options = match arguments.retry_until {
            Some(_) => options,
            None => options.with_output_limit(0),
        };
        let ended = link.run_streaming(command, &arguments, &options, &mut sink).await;
        let finished = sink.finish().await.map_err(unwritable);
        ended.and_then(|output| finished.map(|()| output))
    }

    async fn get(
        &self,
        link: &Link,
        get: &Get,
        arguments: ConnectorArguments,
        run: RunOptions,
    ) -> Result<Transferred> {
        let mut options = get.options.clone().with_arguments(arguments);
        options.run = run;
        let destination = get.destination_for(link.name());
        if let Destination::Path(path) = &destination {
            get.make_directories(path)?;
        }
        match destination {
            Destination::Path(path) if get.recursive => {
                link.get_dir(&get.source, path, &options).await
            }
            Destination::Path(path) => link.get_file(&get.source, path, &options).await,
            Destination::Standard => {
                let mut stdout = self.results.writer().await;
                let sink = hostlink::transfer::Sink::Writer(&mut *stdout);
                let moved = link.get_file(&get.source, sink, &options).await?;
                stdout.flush().await.map_err(unwritable)?;
                Ok(moved)
            }
        }
    }
}
