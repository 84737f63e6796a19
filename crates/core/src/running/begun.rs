//! A command that has started, up to its end.

use std::sync::{Arc, Weak};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::contract::process::{NoControl, Process, ProcessControl};
use crate::running::feed::{Form, Input, feed};
use crate::running::handshake::END_OF_TRANSMISSION;
use crate::running::kill::resolved;
use crate::running::limits::Clock;
use crate::running::living::Living;
use crate::running::silence::Silence;
use crate::shell::script::Script;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxWrite, Chunk, Duplex, OutputSink};
use crate::values::status::ExitStatus;

/// A command that has started: its streams hold nothing but its own bytes. Dropping it before its
/// end ends everything that it started.
pub(crate) struct Begun {
    pub(super) living: Living,
    /// `None` once it is being fed.
    pub(super) stdin: Option<BoxWrite>,
    pub(super) feeding: Option<BoxFuture<'static, Result<()>>>,
    /// The terminal that a tool has beside the streams.
    pub(super) terminal: Option<Box<dyn Duplex>>,
    pub(super) form: Form,
    pub(super) script: Arc<Script>,
    pub(super) clock: Arc<Clock>,
}

/// The end of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output_open: bool,
}

impl Begun {
    pub(crate) fn script(&self) -> &Arc<Script> {
        &self.script
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Changes the size of its terminal, as long as it runs.
    pub(crate) fn control(&self) -> Option<Weak<dyn ProcessControl>> {
        Some(Arc::downgrade(self.living.killer.as_ref()?.control()))
    }

    /// Gives the command its input, unless it is being fed already.
    pub(crate) fn feed(&mut self, input: Input) {
        if let Some(stdin) = self.stdin.take() {
            self.feeding = Some(feed(stdin, Vec::new(), input, self.form, &self.clock));
        }
    }

    /// Passes on what the command writes until it has ended and its output too, or has been silent
    /// for [`Limits::silence`](crate::running::limits::Limits::silence).
    ///
    /// On an error everything that the command started is killed first. If it had ended by itself,
    /// what it left running is the user's, unless the time was up.
    pub(crate) async fn finish(mut self, sink: &mut dyn OutputSink) -> Result<Ended> {
        let clock = self.clock.clone();
        let mut feeding = self.feeding.take();
        let ended = tokio::select! {
            ended = self.drain(sink) => ended,
            Some(Err(error)) = resolved(&mut feeding) => Err(error),
            error = clock.reached() => Err(error),
        };
        drop(feeding);
        match ended {
            Ok(ended) => {
                self.living.release();
                Ok(ended)
            }
            // bash prints the line that it cannot parse.
            Err(error) => {
                let error = self.living.end_by_force(error).await;
                Err(error.masking(self.script.secrets()))
            }
        }
    }

    async fn drain(&mut self, sink: &mut dyn OutputSink) -> Result<Ended> {
        let Living { output, exit, status, killer, .. } = &mut self.living;
        let mut silence = Silence::of(self.clock.limits.silence);
        loop {
            let Some(open) = output else {
                let ended = match *status {
                    Some(status) => Some(Ok(status)),
                    None => resolved(exit).await,
                };
                let status = ended.unwrap_or_else(|| Err(end_unknown()))?;
                return Ok(Ended { status, output_open: false });
            };
            // A stream that is always ready must not keep the limits from being looked at.
            tokio::task::coop::consume_budget().await;
            tokio::select! {
                chunk = open.next() => match chunk {
                    None => *output = None,
                    Some(chunk) => {
                        self.clock.note_movement();
                        let Chunk { stream, bytes } = chunk.map_err(broken_off)?;
                        sink.write(stream, &bytes).await.map_err(|error| {
                            Error::from_io("the output could not be passed on", error)
                        })?;
                        silence.restart();
                    }
                },
                () = answer_questions(&mut self.terminal) => {}
                Some(ended) = resolved(exit) => {
                    *status = Some(ended?);
                    silence.restart();
                }
                lasted = silence.lasted(killer.as_ref()), if status.is_some() => {
                    lasted?;
                    let status = status.expect("checked in the condition");
                    return Ok(Ended { status, output_open: true });
                }
            }
        }
    }

    /// Hands its streams over, with a control that ends what the connection itself cannot end
    /// through the link.
    pub(crate) fn into_process(mut self) -> Process {
        let output = self.living.output.take();
        let status = self.living.status;
        let exit = self
            .living
            .exit
            .take()
            .unwrap_or_else(|| Box::pin(async move { status.ok_or_else(end_unknown) }));
        let handshake = std::mem::take(&mut self.living.handshake);
        let control: Box<dyn ProcessControl> = match self.living.killer.take() {
            Some(killer) => Box::new(killer.into_control(handshake)),
            None => Box::new(NoControl),
        };
        Process {
            stdin: self.stdin,
            output: output.unwrap_or_else(|| stream::empty().boxed()),
            exit,
            control,
            terminal: self.terminal,
        }
    }
}

/// Types the end of the input wherever something is written to the terminal beside the streams:
/// no user types there. Never ends if there is none, or it is closed.
async fn answer_questions(terminal: &mut Option<Box<dyn Duplex>>) {
    let mut text = [0; 1024];
    while let Some(open) = terminal {
        match open.read(&mut text).await {
            Ok(length) if length > 0 => drop(open.write_all(END_OF_TRANSMISSION).await),
            Ok(_) | Err(_) => *terminal = None,
        }
    }
    std::future::pending().await
}

pub(super) fn broken_off(error: std::io::Error) -> Error {
    Error::new(ErrorKind::LinkLost, "the output broke off").with_source(error)
}

pub(super) fn end_unknown() -> Error {
    Error::new(ErrorKind::LinkLost, "its end is not known")
}
