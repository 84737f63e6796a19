//! A process while it is served: what it writes, how it ends, and that nothing of it is left.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::connection::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::handshake::{Handshake, Heard};
use crate::kill::{Ending, Killer, next, resolved};
use crate::process::{BoxWrite, Chunk, ExitStatus, NoControl, Process, ProcessControl};
use crate::pump::{OutputSink, not_started_in_time};
use crate::run::START_LIMIT;
use crate::script::Script;
use crate::secret::Secret;

/// In the place of a time that the clock cannot express.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long output that was on its way may take from the connection's buffers to here.
const LAST_CHANCE: Duration = Duration::from_millis(200);

/// Whether silence means that there is no more output.
enum Doubt {
    None,
    /// The target has been asked for a sign of life.
    Asked(BoxFuture<'static, Result<()>>),
    /// It has given one.
    Cleared,
}

impl Doubt {
    fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    async fn answered(&mut self) -> Result<()> {
        match self {
            Self::Asked(answer) => answer.await,
            Self::None | Self::Cleared => std::future::pending().await,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output_open: bool,
}

/// What the reading side tells the writing side.
pub(crate) enum Order {
    Answer(Secret),
    Started,
}

/// What has been seen of a process so far, for those who watch its limits.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Counts what was read and written.
    pub(crate) moved: AtomicU64,
    /// The command itself has started.
    pub(crate) started: watch::Sender<bool>,
}

/// A process that is being served. Dropping it before its end ends everything that it started.
pub(crate) struct Served {
    handshake: Handshake,
    /// `None` once it has ended.
    output: Option<BoxStream<'static, std::io::Result<Chunk>>>,
    /// `None` once it has resolved, also to an error.
    exit: Option<BoxFuture<'static, Result<ExitStatus>>>,
    status: Option<ExitStatus>,
    /// `None` where there is nothing to be ended any more.
    killer: Option<Killer>,
    slot: Slot,
    /// What the killer holds: it lives as long as there is something to be ended.
    pub(crate) control: Weak<dyn ProcessControl>,
    pub(crate) stdin: Option<BoxWrite>,
    pub(crate) progress: Arc<Progress>,
}

impl Served {
    pub(crate) fn new(
        process: Process,
        script: &Script,
        terminal: bool,
        slot: Slot,
        killer: impl FnOnce(Arc<dyn ProcessControl>) -> Option<Killer>,
    ) -> Self {
        let control = Arc::from(process.control);
        Self {
            handshake: Handshake::new(script, terminal),
            output: Some(process.output),
            exit: Some(process.exit),
            status: None,
            control: Arc::downgrade(&control),
            killer: killer(control),
            slot,
            stdin: process.stdin,
            progress: Arc::default(),
        }
    }

    /// The command and all that it started have ended, or are the user's now.
    pub(crate) fn let_go(&mut self) {
        self.killer = None;
    }

    /// Reads until the command has ended and its output too, or has been silent for so long although the link is not.
    pub(crate) async fn drain(
        &mut self,
        sink: &mut dyn OutputSink,
        orders: &UnboundedSender<Order>,
        silence: Duration,
    ) -> Result<Ended> {
        let mut silent_at = Instant::now();
        let mut doubt = Doubt::None;
        loop {
            let Some(output) = &mut self.output else {
                return match (self.status, resolved(&mut self.exit).await) {
                    (Some(status), _) => self.ended(status, false),
                    (None, Some(status)) => {
                        self.status = Some(status?);
                        continue;
                    }
                    (None, None) => Err(Error::new(ErrorKind::LinkLost, "its end is not known")),
                };
            };
            // A stream that is always ready must not keep the limits from being looked at.
            tokio::task::coop::consume_budget().await;
            tokio::select! {
                chunk = output.next() => match chunk {
                    None => self.output = None,
                    Some(Ok(chunk)) => {
                        self.take(chunk, sink, orders).await?;
                        (silent_at, doubt) = (after(silence), Doubt::None);
                    }
                    Some(Err(error)) => return Err(broken_off(error)),
                },
                Some(status) = resolved(&mut self.exit), if self.status.is_none() => {
                    self.status = Some(status?);
                    silent_at = after(silence);
                }
                // A link that stands still is silent too: the rest of the output may be on its way.
                () = sleep_until(silent_at), if self.status.is_some() && !doubt.is_asked() => {
                    match (&doubt, &self.killer) {
                        (Doubt::None, Some(killer)) => doubt = Doubt::Asked(killer.answers()),
                        _ => return self.ended(self.status.expect("checked in the condition"), true),
                    }
                }
                answered = doubt.answered(), if doubt.is_asked() => {
                    answered?;
                    (silent_at, doubt) = (Instant::now() + LAST_CHANCE, Doubt::Cleared);
                }
            }
        }
    }

    async fn take(
        &mut self,
        chunk: Chunk,
        sink: &mut dyn OutputSink,
        orders: &UnboundedSender<Order>,
    ) -> Result<()> {
        self.progress.moved.fetch_add(1, Ordering::Relaxed);
        let Chunk { stream, bytes } = chunk;
        let before = self.handshake.started();
        let Heard { output, answers, refused } = self.handshake.hear(stream, bytes);
        // A closed channel only means that input is over: the command reads no more.
        for answer in answers {
            let _ = orders.send(Order::Answer(answer));
        }
        if refused {
            return Err(password_refused());
        }
        if !before && self.handshake.started() {
            self.progress.started.send_replace(true);
            let _ = orders.send(Order::Started);
        }
        if output.is_empty() {
            return Ok(());
        }
        sink.write(stream, &output)
            .await
            .map_err(|error| Error::from_io("the output could not be passed on", error))
    }

    fn ended(&self, status: ExitStatus, output_open: bool) -> Result<Ended> {
        if self.handshake.started() {
            return Ok(Ended { status, output_open });
        }
        let (kind, message) = if self.handshake.outer.is_some() {
            (ErrorKind::Privilege, "the command was not started as the other user")
        } else {
            (ErrorKind::Connect, "the target's shell did not start the command")
        };
        Err(Error::new(kind, format!("{message} ({status})"))
            .with_stderr_tail(&self.handshake.preamble()))
    }

    /// Ends everything after `error`, which then says whether that is proved. Where the command had ended by itself, what
    /// it left behind is the user's, unless the time was up.
    pub(crate) async fn end_by_force(mut self, error: Error) -> Error {
        if self.status.is_some() && error.kind() != ErrorKind::Timeout {
            self.let_go();
            return error;
        }
        let error = match error.kind() {
            ErrorKind::Privilege => error.with_stderr_tail(&self.handshake.preamble()),
            _ => error,
        };
        match self.ending() {
            Some(ending) => error.with_kill_confirmed(ending.and_wait().await),
            None => error.with_kill_confirmed(false),
        }
    }

    /// Waits until the command itself has started, and hands its streams over: from then on they hold nothing but its
    /// own.
    ///
    /// # Errors
    ///
    /// It was not started; what was there of it has been ended.
    pub(crate) async fn hand_over(mut self, script: &Script) -> Result<Process> {
        let mut stdin = self.stdin.take();
        let first = match timeout(START_LIMIT, self.hear_start(script, &mut stdin)).await {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => return Err(self.end_by_force(error).await),
            Err(_) => return Err(self.end_by_force(not_started_in_time(START_LIMIT)).await),
        };
        let handshake = std::mem::take(&mut self.handshake);
        let leaders = handshake.leaders();
        let rest = self.output.take().unwrap_or_else(|| stream::empty().boxed());
        let control: Box<dyn ProcessControl> = match (self.killer.take(), self.control.upgrade()) {
            (Some(killer), Some(control)) => Box::new(killer.into_control(control, leaders)),
            _ => Box::new(NoControl),
        };
        let status = self.status;
        let exit = self.exit.take().unwrap_or_else(|| {
            let unknown = || Error::new(ErrorKind::LinkLost, "its end is not known");
            Box::pin(async move { status.ok_or_else(unknown) })
        });
        let first = stream::iter(first.map(Ok));
        Ok(Process {
            stdin,
            output: first.chain(own_output(handshake, rest)).boxed(),
            exit,
            control,
        })
    }

    /// Answers questions and sends the script's text; returns what the command had already written when it was heard.
    async fn hear_start(
        &mut self,
        script: &Script,
        stdin: &mut Option<BoxWrite>,
    ) -> Result<Option<Chunk>> {
        let mut first = None;
        while !self.handshake.started() {
            let chunk = tokio::select! {
                biased;
                chunk = next(&mut self.output), if self.output.is_some() => chunk,
                Some(status) = resolved(&mut self.exit), if self.status.is_none() => {
                    self.status = Some(status?);
                    continue;
                }
                () = sleep(LAST_CHANCE), if self.status.is_some() => None,
            };
            let Some(chunk) = chunk else {
                self.output = None;
                let Some(status) = self.status else { continue };
                return self.ended(status, false).map(|_| None);
            };
            let Chunk { stream, bytes } = chunk.map_err(broken_off)?;
            let Heard { output, answers, refused } = self.handshake.hear(stream, bytes);
            if refused {
                return Err(password_refused());
            }
            for answer in answers {
                send(stdin, &[answer.expose().as_bytes(), b"\n"].concat()).await;
            }
            first = Some(Chunk { stream, bytes: output }).filter(|chunk| !chunk.bytes.is_empty());
        }
        if let Some(text) = script.stdin() {
            send(stdin, text).await;
        }
        Ok(first)
    }

    /// What is left to be ended.
    fn ending(&mut self) -> Option<Ending> {
        // Nobody answers any more: whoever reads on sees the end of the input.
        self.stdin = None;
        Some(Ending {
            killer: self.killer.take()?,
            handshake: std::mem::take(&mut self.handshake),
            output: self.output.take(),
            exit: self.exit.take(),
            over: self.status.is_some(),
            _slot: std::mem::take(&mut self.slot),
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(ending) = self.ending() {
            ending.begin();
        }
    }
}

/// What a command itself writes, once it has started: its second stream may still have an announcement to come.
fn own_output(
    handshake: Handshake,
    output: BoxStream<'static, std::io::Result<Chunk>>,
) -> impl Stream<Item = std::io::Result<Chunk>> + Send + 'static {
    let heard = output.scan(handshake, |handshake, chunk| {
        let heard = chunk.map(|Chunk { stream, bytes }| Chunk {
            stream,
            bytes: handshake.hear(stream, bytes).output,
        });
        ready(Some(heard))
    });
    heard.filter(|chunk| ready(chunk.as_ref().map_or(true, |chunk| !chunk.bytes.is_empty())))
}

/// A command that reads no more has ended, or is about to: that is seen elsewhere.
async fn send(stdin: &mut Option<BoxWrite>, bytes: &[u8]) {
    let Some(writer) = stdin else { return };
    let written = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    if written.await.is_err() {
        *stdin = None;
    }
}

fn broken_off(error: std::io::Error) -> Error {
    Error::new(ErrorKind::LinkLost, "the output broke off").with_source(error)
}

fn password_refused() -> Error {
    Error::new(ErrorKind::Privilege, "the password was not accepted")
}

fn after(silence: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(silence).unwrap_or(now + FAR_AWAY)
}
