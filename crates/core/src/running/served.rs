//! A process while it is served: what it writes, how it ends, and that nothing of it is left.

mod hand_over;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::contract::connection::Slot;
use crate::contract::process::{Process, ProcessControl};
use crate::running::handshake::{
    Answer, END_OF_TRANSMISSION, Handshake, Heard, Unanswered, no_answer, refusal,
};
use crate::running::kill::{Ending, Killer, resolved};
use crate::running::sudo_words::speaks_of_a_terminal;
use crate::shell::script::Script;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxWrite, Chunk, Duplex, OutputSink};
use crate::values::secret::Secret;
use crate::values::status::ExitStatus;

/// In the place of a time that the clock cannot express.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long output that was on its way may take from the connection's buffers to here.
const LAST_CHANCE: Duration = Duration::from_millis(200);

/// How long a tool whose question gets no further answer may take to end. PAM waits for some 2 s on
/// purpose.
const REFUSAL_LIMIT: Duration = Duration::from_secs(4);

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
    /// There is no further answer: a tool that asks again finds the end of its input.
    Refused,
}

/// What has been seen of a process so far, for those who watch its limits.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Counts what was read and written.
    pub(crate) moved: AtomicU64,
    /// The command itself has started.
    pub(crate) started: watch::Sender<bool>,
    /// The privilege tool has refused to work without a terminal, before it asked for anything.
    pub(crate) wants_terminal: AtomicBool,
    /// sudo has given up by itself, before it asked for anything: it may want a password.
    pub(crate) may_want_password: AtomicBool,
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
    /// Where a tool asks that wants a terminal.
    terminal: Option<Box<dyn Duplex>>,
    /// Why a question got no answer; until then the tool may end by itself, and say more.
    refused: Option<(Unanswered, Instant)>,
    /// When what stands last has stood long enough to be a question.
    asked: Option<Instant>,
    pub(crate) progress: Arc<Progress>,
    /// Set once the command itself has started.
    pub(crate) noted: Option<Arc<AtomicBool>>,
}

impl Served {
    pub(crate) fn new(
        process: Process,
        script: &Script,
        terminal: bool,
        slot: Slot,
        killer: impl FnOnce(Arc<dyn ProcessControl>) -> Option<Killer>,
    ) -> Self {
        let beside = process.control.take_terminal();
        let control = Arc::from(process.control);
        Self {
            handshake: Handshake::new(script, terminal, beside.is_some()),
            output: Some(process.output),
            exit: Some(process.exit),
            status: None,
            control: Arc::downgrade(&control),
            killer: killer(control),
            slot,
            stdin: process.stdin,
            terminal: beside,
            refused: None,
            asked: None,
            progress: Arc::default(),
            noted: None,
        }
    }

    /// The command and all that it started have ended, or are the user's now.
    pub(crate) fn let_go(&mut self) {
        self.killer = None;
    }

    /// Reads until the command has ended and its output too, or has been silent for so long
    /// although the link is not.
    pub(crate) async fn drain(
        &mut self,
        sink: &mut dyn OutputSink,
        orders: &UnboundedSender<Order>,
        silence: Duration,
    ) -> Result<Ended> {
        let mut silent_at = Instant::now();
        let mut doubt = Doubt::None;
        let mut text = [0; 1024];
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
                read = read_terminal(&mut self.terminal, &mut text) => {
                    self.take_terminal_text(&text[..read.unwrap_or(0)]).await;
                }
                () = until(self.asked) => {
                    for answer in self.take_question().await {
                        let _ = orders.send(Order::Answer(answer));
                    }
                    if self.refused.is_some() {
                        let _ = orders.send(Order::Refused);
                    }
                }
                error = refusal(self.refused) => return Err(error),
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
        let Heard { output, answers, unanswered } = self.handshake.hear(stream, bytes);
        // A closed channel only means that input is over: the command reads no more.
        for answer in answers {
            let _ = orders.send(Order::Answer(answer.secret));
        }
        if let Some(why) = unanswered {
            self.refuse(why);
            let _ = orders.send(Order::Refused);
        }
        self.look_for_question();
        if !before && self.handshake.started() {
            self.check_start()?;
            self.progress.started.send_replace(true);
            if let Some(noted) = &self.noted {
                noted.store(true, Ordering::Relaxed);
            }
            let _ = orders.send(Order::Started);
        }
        if output.is_empty() {
            return Ok(());
        }
        sink.write(stream, &output)
            .await
            .map_err(|error| Error::from_io("the output could not be passed on", error))
    }

    /// What stands last may be a question; only time can tell.
    fn look_for_question(&mut self) {
        let stands = self.handshake.question_stands();
        self.asked = stands.map(|stands| Instant::now() + stands);
    }

    async fn take_terminal_text(&mut self, bytes: &[u8]) {
        if self.handshake.started() {
            // Nobody types there: whatever the command asks is answered by the end of the input.
            if let Some(terminal) = &mut self.terminal {
                let _ = terminal.write_all(END_OF_TRANSMISSION).await;
            }
            return;
        }
        self.handshake.hear_terminal(bytes);
        self.look_for_question();
    }

    /// Answers what has stood long enough: on the terminal, or by what it returns, for standard
    /// input.
    async fn take_question(&mut self) -> Vec<Secret> {
        self.asked = None;
        let Heard { answers, unanswered, .. } = self.handshake.take_question();
        if let Some(why) = unanswered {
            self.refuse(why);
        }
        let mut others = Vec::new();
        for Answer { secret, on_terminal } in answers {
            match &mut self.terminal {
                Some(terminal) if on_terminal => {
                    let line = [secret.expose().as_bytes(), b"\n"].concat();
                    // A tool that reads no more has ended, or is about to: that is seen elsewhere.
                    let _ = terminal.write_all(&line).await;
                }
                _ => others.push(secret),
            }
        }
        others
    }

    fn refuse(&mut self, why: Unanswered) {
        self.refused.get_or_insert_with(|| (why, Instant::now() + REFUSAL_LIMIT));
    }

    /// Where input was ended for want of an answer, the command has none, and gets no word to go
    /// on.
    fn check_start(&self) -> Result<()> {
        self.refused.map_or(Ok(()), |(why, _)| Err(no_answer(why)))
    }

    fn ended(&self, status: ExitStatus, output_open: bool) -> Result<Ended> {
        if self.handshake.started() {
            return Ok(Ended { status, output_open });
        }
        let said = self.handshake.preamble();
        if self.handshake.is_unable {
            return Err(Error::new(ErrorKind::Unsupported, UNABLE).with_stderr_tail(&said));
        }
        if let Some((why, _)) = self.refused {
            return Err(no_answer(why).with_stderr_tail(&said));
        }
        if self.handshake.outer.is_none() {
            let message = format!("the target's shell did not start the command ({status})");
            return Err(Error::new(ErrorKind::Connect, message).with_stderr_tail(&said));
        }
        if !self.handshake.has_answered() && status == ExitStatus::Code(1) && is_of_sudo(&said) {
            self.progress.may_want_password.store(true, Ordering::Relaxed);
        }
        let mut message = format!("the command was not started as the other user ({status})");
        if !self.handshake.has_answered() && speaks_of_a_terminal(&said) {
            self.progress.wants_terminal.store(true, Ordering::Relaxed);
            message.push_str("; the tool wants a terminal, which get_pty gives it");
        }
        Err(Error::new(ErrorKind::Privilege, message).with_stderr_tail(&said))
    }

    /// Ends everything after `error`, which then says whether that is proved. Where the command had
    /// ended by itself, what it left behind is the user's, unless the time was up.
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

/// What is read of a terminal; never where there is none. One that is closed is gone.
async fn read_terminal(terminal: &mut Option<Box<dyn Duplex>>, buffer: &mut [u8]) -> Option<usize> {
    let Some(open) = terminal else { return std::future::pending().await };
    match open.read(buffer).await {
        Ok(length) if length > 0 => Some(length),
        Ok(_) | Err(_) => {
            *terminal = None;
            None
        }
    }
}

/// Resolves then; never without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Whether a line is sudo's own, in whatever language.
fn is_of_sudo(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).lines().any(|line| line.starts_with("sudo"))
}

fn broken_off(error: std::io::Error) -> Error {
    Error::new(ErrorKind::LinkLost, "the output broke off").with_source(error)
}

const UNABLE: &str =
    "input goes through a terminal by stty, sed and base64, and the target lacks one of them";

fn after(silence: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(silence).unwrap_or(now + FAR_AWAY)
}
