//! Moves a process's streams until it has ended: input, output, prompts, limits, all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::error::{Error, ErrorKind, Result};
use crate::handshake::{Handshake, Heard};
use crate::kill::{KillGuard, Leaders};
use crate::process::{BoxWrite, Chunk, ExitStatus, Process, Stream};
use crate::script::Script;
use crate::secret::Secret;
use crate::stdin::BoxRead;

/// How long a killed command may take to report its end.
const KILL_CONFIRMATION: Duration = Duration::from_secs(2);

/// In the place of a time that the clock cannot express.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Takes a command's output as it arrives.
#[async_trait]
pub trait OutputSink: Send {
    /// Takes some bytes. While it waits, the command waits too.
    ///
    /// # Errors
    ///
    /// The command is then killed.
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()>;
}

/// Limits of time; `None` is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// For everything.
    pub(crate) whole: Option<Duration>,
    /// Without a byte in either direction.
    pub(crate) stall: Option<Duration>,
    /// For a privilege tool to start the command.
    pub(crate) start: Option<Duration>,
    /// How long output that somebody else still holds is read on after the command's end.
    pub(crate) silence: Duration,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output_open: bool,
}

/// One process being served.
pub(crate) struct Pump {
    pub(crate) guard: KillGuard,
    handshake: Handshake,
    output: BoxStream<'static, std::io::Result<Chunk>>,
    /// `None` once it has resolved, also to an error: it must not be polled again.
    exit: Option<BoxFuture<'static, Result<ExitStatus>>>,
    status: Option<ExitStatus>,
    limits: Limits,
    moved: Arc<AtomicU64>,
    started: Arc<AtomicBool>,
    feed: Option<BoxFuture<'static, Result<()>>>,
    orders: UnboundedSender<Order>,
}

/// What the reading side tells the writing side.
enum Order {
    Answer(Secret),
    Started,
}

impl Pump {
    pub(crate) fn new(
        process: Process,
        script: &Script,
        source: Option<BoxRead>,
        terminal: bool,
        limits: Limits,
        guard: impl FnOnce(Arc<dyn crate::process::ProcessControl>) -> KillGuard,
    ) -> Self {
        let (orders, received) = unbounded_channel();
        let moved = Arc::new(AtomicU64::new(0));
        let feed = process.stdin.map(|stdin| {
            let feeder = Feeder {
                stdin,
                text: script.stdin().map(<[u8]>::to_vec),
                source,
                waits: script.is_privileged() || terminal,
                terminal,
                at_line_start: true,
                moved: moved.clone(),
            };
            Box::pin(feeder.run(received)) as BoxFuture<'static, Result<()>>
        });
        Self {
            guard: guard(process.control.into()),
            handshake: Handshake::new(script, terminal),
            output: process.output,
            exit: Some(process.exit),
            status: None,
            limits,
            moved,
            started: Arc::default(),
            feed,
            orders,
        }
    }

    /// Serves the process to its end.
    ///
    /// On an error everything that the command started is killed first; where it had ended by itself, what it left behind is
    /// the user's, unless the time was up.
    pub(crate) async fn run(&mut self, sink: &mut dyn OutputSink) -> Result<Ended> {
        let ended = self.run_within_limits(sink).await;
        match ended {
            Ok(ended) => {
                self.guard.disarm();
                Ok(ended)
            }
            Err(error) => Err(self.end_by_force(error).await),
        }
    }

    async fn run_within_limits(&mut self, sink: &mut dyn OutputSink) -> Result<Ended> {
        let limits = self.limits;
        let (moved, started) = (self.moved.clone(), self.started.clone());
        let mut feed = self.feed.take().unwrap_or_else(|| Box::pin(async { Ok(()) }));
        let mut feeding = true;
        let drain = self.drain(sink);
        tokio::pin!(drain);
        let limit = limit(limits, moved, started);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                fed = &mut feed, if feeding => { feeding = false; fed?; }
                ended = &mut drain => return ended,
                error = &mut limit => return Err(error),
            }
        }
    }

    /// Reads until the command has ended and its output too, or has fallen silent.
    async fn drain(&mut self, sink: &mut dyn OutputSink) -> Result<Ended> {
        let mut at_end = false;
        let mut silent_at = Instant::now();
        loop {
            if let (Some(status), true) = (self.status, at_end) {
                return self.ended(status, false);
            }
            // A stream that is always ready must not keep the limits from being looked at.
            tokio::task::coop::consume_budget().await;
            tokio::select! {
                chunk = self.output.next(), if !at_end => match chunk {
                    None => at_end = true,
                    Some(Ok(chunk)) => {
                        self.take(chunk, sink).await?;
                        silent_at = self.silent_at();
                    }
                    Some(Err(error)) => return Err(lost(error)),
                },
                status = resolved(&mut self.exit), if self.exit.is_some() => {
                    self.status = Some(status?);
                    silent_at = self.silent_at();
                }
                () = sleep_until(silent_at), if self.status.is_some() && !at_end => {
                    return self.ended(self.status.expect("checked in the condition"), true);
                }
            }
        }
    }

    fn silent_at(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.limits.silence).unwrap_or(now + FAR_AWAY)
    }

    async fn take(&mut self, chunk: Chunk, sink: &mut dyn OutputSink) -> Result<()> {
        self.moved.fetch_add(1, Ordering::Relaxed);
        let Chunk { stream, bytes } = chunk;
        let before = self.handshake.started();
        let Heard { output, answers, refused } = self.handshake.hear(stream, bytes);
        // A closed channel only means that input is over: the command reads no more.
        for answer in answers {
            let _ = self.orders.send(Order::Answer(answer));
        }
        if refused {
            return Err(Error::new(ErrorKind::Privilege, "the password was not accepted"));
        }
        self.guard.leaders = Leaders { inner: self.handshake.inner, outer: self.handshake.outer };
        if !before && self.handshake.started() {
            self.started.store(true, Ordering::Relaxed);
            let _ = self.orders.send(Order::Started);
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

    async fn end_by_force(&mut self, error: Error) -> Error {
        if self.status.is_some() && error.kind() != ErrorKind::Timeout {
            self.guard.disarm();
            return error;
        }
        let error = match error.kind() {
            ErrorKind::Privilege => error.with_stderr_tail(&self.handshake.preamble()),
            _ => error,
        };
        let sent = self.guard.kill().await;
        let exited = match (self.status, self.exit.is_some()) {
            (Some(_), _) => true,
            (None, true) => {
                let exit = timeout(KILL_CONFIRMATION, resolved(&mut self.exit)).await;
                matches!(exit, Ok(Ok(_)))
            }
            (None, false) => false,
        };
        error.with_kill_confirmed(sent && exited)
    }
}

/// The result of a future that is there, which is then gone.
async fn resolved<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(running) => {
            let result = running.await;
            *future = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// Resolves when a limit is reached, with its error.
async fn limit(limits: Limits, moved: Arc<AtomicU64>, started: Arc<AtomicBool>) -> Error {
    let whole = async {
        match limits.whole {
            Some(limit) => {
                sleep(limit).await;
                Error::new(
                    ErrorKind::Timeout,
                    format!("it took longer than {limit:?} and was ended"),
                )
            }
            None => std::future::pending().await,
        }
    };
    let stall = async {
        let Some(limit) = limits.stall else { return std::future::pending().await };
        let mut before = moved.load(Ordering::Relaxed);
        loop {
            sleep(limit).await;
            let now = moved.load(Ordering::Relaxed);
            if now == before {
                let message = format!("nothing moved for {limit:?}, so it was ended");
                return Error::new(ErrorKind::Timeout, message);
            }
            before = now;
        }
    };
    let start = async {
        let Some(limit) = limits.start else { return std::future::pending().await };
        sleep(limit).await;
        if started.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let message =
            format!("not started as the other user within {limit:?}: is a password wanted?");
        Error::new(ErrorKind::Privilege, message)
    };
    tokio::select! {
        error = whole => error,
        error = stall => error,
        error = start => error,
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::new(ErrorKind::LinkLost, "the output broke off").with_source(error)
}

/// Writes a process's input.
struct Feeder {
    stdin: BoxWrite,
    text: Option<Vec<u8>>,
    source: Option<BoxRead>,
    /// Nothing but answers may be sent before the command has started.
    waits: bool,
    terminal: bool,
    at_line_start: bool,
    moved: Arc<AtomicU64>,
}

const BUFFER: usize = 256 * 1024;
const END_OF_TRANSMISSION: &[u8] = b"\x04";

impl Feeder {
    /// Only a source that cannot be read is an error: a command need not read its input.
    async fn run(mut self, mut orders: UnboundedReceiver<Order>) -> Result<()> {
        while self.waits {
            match orders.recv().await {
                Some(Order::Answer(secret)) => {
                    let line = [secret.expose().as_bytes(), b"\n"].concat();
                    self.write(&line).await;
                }
                Some(Order::Started) | None => self.waits = false,
            }
        }
        if let Some(text) = self.text.take() {
            self.write(&text).await;
        }
        if let Some(source) = self.source.take() {
            self.copy(source).await?;
        }
        if self.terminal {
            // Closing a terminal is no end of input: ^D at the start of a line is (termios(3), VEOF). Elsewhere
            // the first one only hands the line over.
            if !self.at_line_start {
                self.write(END_OF_TRANSMISSION).await;
            }
            self.write(END_OF_TRANSMISSION).await;
            std::future::pending::<()>().await;
        }
        let _ = self.stdin.shutdown().await;
        Ok(())
    }

    async fn copy(&mut self, mut source: BoxRead) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = source.read(&mut buffer).await;
            let length =
                read.map_err(|error| Error::from_io("the input could not be read", error))?;
            self.at_line_start =
                buffer[..length].last().map_or(self.at_line_start, |last| *last == b'\n');
            if length == 0 || !self.write(&buffer[..length]).await {
                return Ok(());
            }
        }
    }

    /// Writes it all; false if the command reads no more.
    async fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.stdin.write(bytes).await {
                Ok(0) | Err(_) => return false,
                Ok(length) => bytes = &bytes[length..],
            }
            self.moved.fetch_add(1, Ordering::Relaxed);
        }
        self.stdin.flush().await.is_ok()
    }
}
