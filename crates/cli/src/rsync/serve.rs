//! One copy: the local rsync, and the command that it runs on the target.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::FusedFuture;
use hostlink::connector::BoxWrite;
use hostlink::inventory::Host;
use hostlink::run::{OutputSink, RunOptions, Stdin, Stream};
use hostlink::{
    CommandOutput, ConnectorArguments, Error, ErrorKind, ExitStatus, Result, StringCommand,
};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::channel::Request;
use super::local::Local;
use super::socket::RelaySocket;
use super::{PROGRAM, Rsync};
use crate::exit::{LINK, NO_PROGRAM};
use crate::messages::Messages;
use crate::stop::Stop;

/// How long the command on the target may continue after the local rsync's end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a copy needs.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) host: &'a Host,
    pub(crate) rsync: &'a Rsync,
    pub(crate) messages: &'a Messages,
    pub(crate) stop: &'a Stop,
}

impl Session<'_> {
    /// Copies, and returns the local rsync's exit status. On the order to stop both sides are
    /// ended, and the result is meaningless.
    pub(crate) async fn run(
        &self,
        arguments: ConnectorArguments,
        options: RunOptions,
    ) -> Result<CommandOutput> {
        let started = Instant::now();
        let socket = RelaySocket::open()?;
        let mut local = Local::start(self.rsync, &socket.path)?;
        let serving = self.serve(&socket, arguments, options).fuse();
        tokio::pin!(serving);
        let status = tokio::select! {
            biased;
            () = self.stop.requested() => None,
            status = both(&mut local, serving.as_mut(), &socket) => Some(status?),
        };
        let Some(status) = status else {
            end_both(&mut local, serving, &socket).await;
            return Err(Error::new(ErrorKind::LinkLost, "it was stopped"));
        };
        Ok(CommandOutput::from_lines([], status, started.elapsed()))
    }

    /// Runs the command of the only relay, and answers it.
    async fn serve(
        &self,
        socket: &RelaySocket,
        arguments: ConnectorArguments,
        options: RunOptions,
    ) -> Result<ExitStatus> {
        let failed = |error| {
            Error::new(ErrorKind::Unsupported, "rsync's own side cannot be served")
                .with_source(error)
        };
        let (mut relay, request) = socket.wait().await.map_err(failed)?;
        let ran = self.run_command(request, arguments, options).await;
        let status = ran
            .as_ref()
            .map_or(LINK, |status| u8::try_from(status.as_shell_code()).unwrap_or(LINK));
        // rsync's streams are closed on this side by now. A relay that is gone needs no answer.
        let _ = relay.write_all(&[status]).await;
        if ran.as_ref().is_ok_and(is_missing) {
            self.tell_missing();
        }
        ran
    }

    fn tell_missing(&self) {
        self.messages.line(format_args!(
            "{}: the target has no {PROGRAM}: install it there, or set its path with \
             --rsync-path",
            self.host.name()
        ));
    }

    async fn run_command(
        &self,
        request: Request,
        arguments: ConnectorArguments,
        options: RunOptions,
    ) -> Result<ExitStatus> {
        let arguments = ConnectorArguments {
            stdin: Some(Stdin::reader(request.input)),
            // Host data may set these for commands; rsync's end of a pipe is not a terminal.
            get_pty: Some(false),
            shell_executable: Some("sh".to_owned()),
            success_exit_codes: Some(vec![0]),
            retries: Some(0),
            ..arguments
        };
        let command = StringCommand::shell(request.line);
        let options = options.with_output_limit(0);
        let mut sink = Sink {
            output: request.output,
            messages: self.messages,
            stop: self.stop,
            closed: false,
        };
        let ran = self.host.run_streaming(&command, &arguments, &options, &mut sink).await;
        match ran {
            Ok(output) => Ok(output.status().unwrap_or(ExitStatus::UnknownSignal)),
            // rsync itself gave up, and will report it.
            Err(_) if sink.closed => Ok(ExitStatus::UnknownSignal),
            Err(error) => Err(error),
        }
    }
}

/// Returns the local rsync's exit status, once both sides have ended.
async fn both(
    local: &mut Local,
    mut serving: Pin<&mut impl Future<Output = Result<ExitStatus>>>,
    socket: &RelaySocket,
) -> Result<ExitStatus> {
    let (served, status) = tokio::select! {
        biased;
        served = &mut serving => match served {
            Ok(served) => (Some(served), local.wait().await?),
            Err(error) => {
                local.let_end().await;
                return Err(error);
            }
        },
        status = local.wait() => {
            // rsync waits for its child process, unless it gave up: then the cause may be on our
            // side.
            let served = match socket.is_used() {
                true => timeout(PATIENCE, serving).await.ok().transpose()?,
                false => None,
            };
            (served, status?)
        }
    };
    // rsync may or may not have seen the status in time, and ends with 12 or 127 (cleanup.c).
    let is_missing = served.as_ref().is_some_and(is_missing) && status != ExitStatus::Code(0);
    Ok(if is_missing { ExitStatus::Code(NO_PROGRAM.into()) } else { status })
}

/// Ends both sides. The target's rsync sees the end of its input, and removes its temporary files;
/// otherwise the link kills it.
async fn end_both(
    local: &mut Local,
    serving: Pin<&mut impl FusedFuture<Output = Result<ExitStatus>>>,
    socket: &RelaySocket,
) {
    let is_served = socket.is_used() && !serving.is_terminated();
    let ending = async {
        local.end().await;
        if is_served {
            tokio::time::sleep(PATIENCE).await;
        }
    };
    tokio::select! {
        _ = serving => {}
        () = ending => {}
    }
    local.end().await;
}

/// Returns whether a shell found no such program.
fn is_missing(status: &ExitStatus) -> bool {
    *status == ExitStatus::Code(NO_PROGRAM.into())
}

/// The destination of the command's output.
struct Sink<'a> {
    output: BoxWrite,
    messages: &'a Messages,
    stop: &'a Stop,
    closed: bool,
}

#[async_trait]
impl OutputSink for Sink<'_> {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Stdout => {
                let written = self.output.write_all(bytes).await;
                self.closed |= written.is_err();
                written
            }
            // The lost peer is the result of our own stop.
            Stream::Stderr if self.stop.cause().is_some() => Ok(()),
            Stream::Stderr => {
                self.messages.bytes(bytes.to_vec()).await;
                Ok(())
            }
        }
    }
}
