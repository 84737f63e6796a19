//! Moves a process's streams until it has ended: input, output, prompts, limits, all at once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

use crate::running::handshake::{END_OF_TRANSMISSION, not_started_in_time};
use crate::running::served::{Ended, Order, Progress, Served};
use crate::shell::armor::Armor;
use crate::shell::script::Script;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, BoxWrite, OutputSink};

/// What a command is to read. Only one that has started takes it.
#[derive(Clone, Default)]
pub(crate) struct Input {
    source: Arc<Mutex<Option<BoxRead>>>,
    /// As much as goes through the connection's terminals.
    most: Option<u64>,
}

impl Input {
    pub(crate) fn new(source: Option<BoxRead>, most: Option<u64>) -> Self {
        Self { source: Arc::new(Mutex::new(source)), most }
    }

    fn take(&self) -> Option<BoxRead> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Limits of time; `None` is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// For everything.
    pub(crate) whole: Option<Duration>,
    /// What of that the start has taken.
    pub(crate) spent: Duration,
    /// Without a byte in either direction.
    pub(crate) stall: Option<Duration>,
    /// For a privilege tool to start the command.
    pub(crate) start: Option<Duration>,
    /// How long output that somebody else still holds is read on after the command's end.
    pub(crate) silence: Duration,
}

impl Limits {
    /// What is left of the limit for everything.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.whole.map(|limit| limit.saturating_sub(self.spent))
    }
}

/// Serves a process to its end.
///
/// On an error everything that the command started is killed first; where it had ended by itself,
/// what it left behind is the user's, unless the time was up. Dropped before the end, it ends
/// everything too.
pub(crate) async fn pump(
    mut served: Served,
    script: &Script,
    source: &Input,
    terminal: bool,
    limits: Limits,
    sink: &mut dyn OutputSink,
) -> Result<Ended> {
    match serve(&mut served, script, source, terminal, limits, sink).await {
        Ok(ended) => {
            served.let_go();
            Ok(ended)
        }
        Err(error) => Err(served.end_by_force(error).await),
    }
}

async fn serve(
    served: &mut Served,
    script: &Script,
    source: &Input,
    terminal: bool,
    limits: Limits,
    sink: &mut dyn OutputSink,
) -> Result<Ended> {
    let progress = served.progress.clone();
    let (orders, received) = unbounded_channel();
    let mut feed: BoxFuture<'static, Result<()>> = match served.stdin.take() {
        Some(stdin) => {
            let feeder = Feeder {
                stdin,
                gate: script.gate().map(|gate| format!("{gate}\n")),
                text: script.stdin().map(<[u8]>::to_vec),
                source: source.clone(),
                waits: script.is_privileged() || terminal,
                terminal,
                encodes: script.decodes(),
                at_line_start: true,
                progress: progress.clone(),
            };
            Box::pin(feeder.run(received))
        }
        None => Box::pin(async { Ok(()) }),
    };
    let mut feeding = true;
    let drain = served.drain(sink, &orders, limits.silence);
    tokio::pin!(drain);
    let limit = limit(limits, progress);
    tokio::pin!(limit);
    loop {
        tokio::select! {
            fed = &mut feed, if feeding => { feeding = false; fed?; }
            ended = &mut drain => return ended,
            error = &mut limit => return Err(error),
        }
    }
}

/// Resolves when a limit is reached, with its error.
async fn limit(limits: Limits, progress: Arc<Progress>) -> Error {
    let whole = async {
        let (Some(limit), Some(left)) = (limits.whole, limits.left()) else {
            return std::future::pending().await;
        };
        sleep(left).await;
        Error::new(ErrorKind::Timeout, format!("it took longer than {limit:?} and was ended"))
    };
    let stall = async {
        let Some(limit) = limits.stall else { return std::future::pending().await };
        let mut before = progress.moved.load(Ordering::Relaxed);
        loop {
            sleep(limit).await;
            let now = progress.moved.load(Ordering::Relaxed);
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
        if *progress.started.borrow() {
            return std::future::pending().await;
        }
        not_started_in_time(limit)
    };
    tokio::select! {
        error = whole => error,
        error = stall => error,
        error = start => error,
    }
}

/// Writes a process's input.
struct Feeder {
    stdin: BoxWrite,
    /// What the script waits for in front of all that it and its command read.
    gate: Option<String>,
    text: Option<Vec<u8>>,
    source: Input,
    /// Nothing but answers may be sent before the command has started.
    waits: bool,
    terminal: bool,
    /// The command's input has to come through the terminal unchanged.
    encodes: bool,
    at_line_start: bool,
    progress: Arc<Progress>,
}

const BUFFER: usize = 256 * 1024;

/// How long a command on a terminal that has no input runs before the end of that is typed. sudo
/// with use_pty (1.9.13) waits for ever if something is typed in the moment in which its command
/// ends; most that read nothing are over by then.
const END_HELD_BACK: Duration = Duration::from_secs(1);

impl Feeder {
    /// Only a source that cannot be read is an error, or that is too long: a command need not read
    /// its input.
    async fn run(mut self, mut orders: UnboundedReceiver<Order>) -> Result<()> {
        while self.waits {
            match orders.recv().await {
                Some(Order::Answer(secret)) => {
                    let line = [secret.expose().as_bytes(), b"\n"].concat();
                    self.write(&line).await;
                }
                // A terminal has no other end.
                Some(Order::Refused) if self.terminal => {
                    self.write(END_OF_TRANSMISSION).await;
                }
                Some(Order::Refused) => {
                    let _ = self.stdin.shutdown().await;
                    return Ok(());
                }
                Some(Order::Started) | None => self.waits = false,
            }
        }
        if let Some(gate) = self.gate.take() {
            self.write(gate.as_bytes()).await;
        }
        if let Some(text) = self.text.take() {
            self.write(&text).await;
        }
        match self.source.take() {
            Some(source) => self.copy(source).await?,
            None if self.terminal => sleep(END_HELD_BACK).await,
            None => {}
        }
        if self.encodes {
            // The end has been told, and the session must not end with it.
            std::future::pending::<()>().await;
        }
        if self.terminal {
            // Closing a terminal is no end of input: ^D at the start of a line is (termios(3),
            // VEOF). Elsewhere the first one only hands the line over.
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
        let mut armor = self.encodes.then(Armor::default);
        let mut came = 0;
        loop {
            let read = source.read(&mut buffer).await;
            let length =
                read.map_err(|error| Error::from_io("the input could not be read", error))?;
            came += length as u64;
            if let Some(most) = self.source.most.filter(|most| armor.is_some() && came > *most) {
                let message =
                    format!("no more than {most} bytes of input go through a terminal there");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let bytes = match &mut armor {
                Some(armor) => armor.encode(&buffer[..length]),
                None => &buffer[..length],
            };
            self.at_line_start = bytes.last().map_or(self.at_line_start, |last| *last == b'\n');
            if !self.write(bytes).await || length == 0 {
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
            self.progress.moved.fetch_add(1, Ordering::Relaxed);
        }
        self.stdin.flush().await.is_ok()
    }
}
