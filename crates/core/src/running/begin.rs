//! The start of a command: from a process that has been spawned to one whose streams hold nothing
//! but the command's own bytes.
//!
//! A [`Starting`] listens for the announcements of the script, answers its prompts, and gives it
//! the word to go on. The command has started when it has become a [`Begun`]. Input that no tool
//! can take for an answer is sent meanwhile, so that it costs no round trip of its own.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::contract::connection::Slot;
use crate::contract::process::{Process, ProcessControl};
use crate::running::begun::{Begun, broken_off, end_unknown};
use crate::running::feed::{Form, Input, feed};
use crate::running::handshake::{
    Answer, END_OF_TRANSMISSION, Findings, Handshake, NoAnswer, Streams, no_answer,
    not_started_in_time, refusal,
};
use crate::running::kill::{Killer, next, resolved};
use crate::running::limits::{Clock, until};
use crate::running::living::Living;
use crate::running::silence::Silence;
use crate::running::sudo_words::{is_of_sudo, speaks_of_a_terminal, with_cause};
use crate::shell::script::Script;
use crate::values::error::{Error, ErrorKind, Refusal, Result};
use crate::values::io::{BoxWrite, Chunk, Duplex};
use crate::values::status::ExitStatus;

/// Time limit for a tool to end after a question that gets no further answer. PAM waits for some 2
/// s on purpose.
const REFUSAL_LIMIT: Duration = Duration::from_secs(4);

/// The reason why a command was not started. Its processes have been ended.
pub(crate) struct NotBegun {
    pub(crate) error: Error,
    /// The needs of its privilege tool.
    pub(crate) lacks: Lacks,
}

/// Needs of a privilege tool that another attempt can meet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lacks {
    /// sudo ended by itself, before it asked for anything.
    pub(crate) password: bool,
    /// The tool refuses to work without a terminal, before it asked for anything.
    pub(crate) terminal: bool,
}

impl From<Error> for NotBegun {
    fn from(error: Error) -> Self {
        Self { error, lacks: Lacks::default() }
    }
}

/// A process whose command has not started yet. Dropping it ends everything that it started.
pub(crate) struct Starting {
    living: Living,
    script: Arc<Script>,
    form: Form,
    stdin: Option<BoxWrite>,
    /// Input that need not wait for the start.
    feeding: Option<BoxFuture<'static, Result<()>>>,
    /// The terminal of a tool that asks only there.
    terminal: Option<Box<dyn Duplex>>,
    /// The reason why a question got no answer; until the time given, the tool may end by itself
    /// and say more.
    refused: Option<(NoAnswer, Instant)>,
    /// When the unfinished line has waited long enough to be a question.
    asked: Option<Instant>,
    /// The command's output that came with its announcement.
    first: Option<Chunk>,
}

impl Starting {
    pub(crate) fn new(
        process: Process,
        script: &Arc<Script>,
        form: Form,
        slot: Slot,
        killer: impl FnOnce(Arc<dyn ProcessControl>) -> Option<Killer>,
    ) -> Self {
        let Process { stdin, output, exit, control, terminal } = process;
        let streams = match (form, &terminal) {
            (Form::Pipe, None) => Streams::Two,
            (Form::Pipe, Some(_)) => Streams::TwoBesideTerminal,
            (Form::Terminal | Form::EncodedOnTerminal, _) => Streams::One,
        };
        let living = Living {
            handshake: Handshake::new(script, streams),
            output: Some(output),
            exit: Some(exit),
            status: None,
            killer: killer(Arc::from(control)),
            slot,
        };
        Self {
            living,
            script: script.clone(),
            form,
            stdin,
            feeding: None,
            terminal,
            refused: None,
            asked: None,
            first: None,
        }
    }

    /// Waits until the command itself has started.
    ///
    /// `input` is taken if the script's tools cannot take it for an answer; otherwise the caller
    /// feeds it to the [`Begun`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends everything that was started.
    pub(crate) async fn begin(
        mut self,
        clock: Arc<Clock>,
        input: &mut Option<Input>,
    ) -> Result<Begun, NotBegun> {
        let can_be_asked = self.script.is_privileged() || self.form != Form::Pipe;
        if let Some(input) = input.take_if(|_| !can_be_asked)
            && let Some(stdin) = self.stdin.take()
        {
            let text = self.script.stdin().unwrap_or_default().to_vec();
            self.feeding = Some(feed(stdin, text, input, self.form, &clock));
        }
        let limit = clock.limits.start;
        let hearing = async {
            let heard = self.hear_start(&clock);
            match limit {
                Some(limit) => timeout(limit, heard)
                    .await
                    .unwrap_or_else(|_| Err(not_started_in_time(limit).into())),
                None => heard.await,
            }
        };
        let begun = tokio::select! {
            heard = hearing => heard,
            error = clock.reached() => Err(error.into()),
        };
        match begun {
            Ok(()) => Ok(self.into_begun(clock)),
            Err(refused) => Err(self.end_by_force(refused).await),
        }
    }

    async fn hear_start(&mut self, clock: &Clock) -> Result<(), NotBegun> {
        let mut silence = Silence::of(clock.limits.silence);
        let mut text = [0; 1024];
        loop {
            // A stream that is always ready must not keep the limits from being looked at.
            tokio::task::coop::consume_budget().await;
            tokio::select! {
                biased;
                chunk = next(&mut self.living.output), if self.living.output.is_some() => {
                    silence.restart();
                    match chunk {
                        Some(chunk) => self.hear(chunk.map_err(broken_off)?).await,
                        None => self.living.output = None,
                    }
                }
                Some(status) = resolved(&mut self.living.exit) => {
                    self.living.status = Some(status?);
                    silence.restart();
                }
                read = read_terminal(&mut self.terminal, &mut text) => {
                    self.living.handshake.hear_terminal(&text[..read.unwrap_or(0)]);
                    self.look_for_question();
                }
                () = until(self.asked) => self.take_question().await,
                Some(fed) = resolved(&mut self.feeding) => fed?,
                error = refusal(self.refused) => return Err(error.into()),
                lasted = silence.lasted(self.living.killer.as_ref()), if self.living.status.is_some() => {
                    lasted?;
                    self.living.output = None;
                }
            }
            if self.living.handshake.started() {
                return Ok(self.go_on().await?);
            }
            if self.living.output.is_none() {
                match (self.living.status, &self.living.exit) {
                    (Some(status), _) => return Err(self.not_begun(status)),
                    (None, Some(_)) => {}
                    (None, None) => return Err(end_unknown().into()),
                }
            }
        }
    }

    /// Takes in what the process writes.
    async fn hear(&mut self, Chunk { stream, bytes }: Chunk) {
        let Findings { output, answers, unanswered } = self.living.handshake.hear(stream, bytes);
        self.answer(answers, unanswered).await;
        self.look_for_question();
        self.first = Some(Chunk { stream, bytes: output }).filter(|chunk| !chunk.bytes.is_empty());
    }

    /// The unfinished line may be a question; only time can tell.
    fn look_for_question(&mut self) {
        let waits = self.living.handshake.question_delay();
        self.asked = waits.map(|waits| Instant::now() + waits);
    }

    /// Answers what has waited long enough to be a question.
    async fn take_question(&mut self) {
        self.asked = None;
        let Findings { answers, unanswered, .. } = self.living.handshake.take_question();
        self.answer(answers, unanswered).await;
    }

    async fn answer(&mut self, answers: Vec<Answer>, unanswered: Option<NoAnswer>) {
        for Answer { secret, on_terminal } in answers {
            let line = [secret.expose().as_bytes(), b"\n"].concat();
            match &mut self.terminal {
                // A tool that reads no more has ended, or is about to: that is seen elsewhere.
                Some(terminal) if on_terminal => drop(terminal.write_all(&line).await),
                _ => self.send(&line).await,
            }
        }
        if let Some(why) = unanswered {
            self.refused.get_or_insert_with(|| (why, Instant::now() + REFUSAL_LIMIT));
            self.end_input().await;
        }
    }

    /// A tool that asks again finds the end of its input.
    async fn end_input(&mut self) {
        if self.form != Form::Pipe {
            // A terminal has no other end.
            self.send(END_OF_TRANSMISSION).await;
        } else if let Some(mut stdin) = self.stdin.take() {
            // A mere drop does not end it everywhere.
            let _ = stdin.shutdown().await;
        }
    }

    /// A process that reads no more has ended, or is about to: that is seen elsewhere.
    async fn send(&mut self, bytes: &[u8]) {
        let Some(stdin) = &mut self.stdin else { return };
        let written = async {
            stdin.write_all(bytes).await?;
            stdin.flush().await
        };
        if written.await.is_err() {
            self.stdin = None;
        }
    }

    /// Gives the word to go on, and the script's own text.
    ///
    /// If the input was ended because a question had no answer, the command has no input, and gets
    /// no word.
    async fn go_on(&mut self) -> Result<()> {
        if let Some((why, _)) = self.refused {
            return Err(no_answer(why));
        }
        let script = self.script.clone();
        if let Some(gate) = script.gate() {
            self.send(format!("{gate}\n").as_bytes()).await;
        }
        if let Some(text) = script.stdin() {
            self.send(text).await;
        }
        Ok(())
    }

    fn into_begun(mut self, clock: Arc<Clock>) -> Begun {
        let handshake = std::mem::take(&mut self.living.handshake);
        self.living.handshake = handshake.leaders();
        let rest = self.living.output.take().unwrap_or_else(|| stream::empty().boxed());
        let first = stream::iter(self.first.map(Ok));
        self.living.output = Some(first.chain(own_output(handshake, rest)).boxed());
        Begun {
            living: self.living,
            stdin: self.stdin,
            feeding: self.feeding,
            terminal: self.terminal,
            form: self.form,
            script: self.script,
            clock,
        }
    }

    /// Returns the reason why the command was not started, after its process has ended by itself.
    fn not_begun(&self, status: ExitStatus) -> NotBegun {
        let handshake = &self.living.handshake;
        let said = handshake.preamble();
        let privilege = |message: String| Error::new(ErrorKind::Privilege, message);
        let mut lacks = Lacks::default();
        let error = if handshake.is_unable {
            Error::new(ErrorKind::Unsupported, UNABLE)
        } else if let Some((why, _)) = self.refused {
            no_answer(why)
        } else if handshake.outer.is_none() {
            let message = format!("the target's shell did not start the command ({status})");
            Error::new(ErrorKind::Connect, message)
        } else if handshake.has_answered() {
            privilege(format!("{NOT_STARTED} ({status})"))
        } else {
            lacks.password = status == ExitStatus::Code(1) && is_of_sudo(&said);
            lacks.terminal = speaks_of_a_terminal(&said);
            let hint = if lacks.terminal { TERMINAL_HINT } else { "" };
            let error = privilege(format!("{NOT_STARTED} ({status}){hint}"));
            if lacks.terminal { error.with_refusal(Refusal::NoTerminal) } else { error }
        };
        NotBegun { error, lacks }
    }

    async fn end_by_force(self, NotBegun { error, lacks }: NotBegun) -> NotBegun {
        let Self { living, stdin, .. } = self;
        // No answers come any more: a tool that reads on finds the end of its input.
        drop(stdin);
        let error = match error.kind() {
            ErrorKind::Privilege => {
                let said = living.handshake.preamble();
                with_cause(error.with_stderr_tail(&said), &said)
            }
            ErrorKind::Connect | ErrorKind::Unsupported => {
                error.with_stderr_tail(&living.handshake.preamble())
            }
            _ => error,
        };
        NotBegun { error: living.end_by_force(error).await, lacks }
    }
}

/// Returns the command's own output after its start: its second stream may still have an
/// announcement to come.
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

/// Reads from a terminal; never ends if there is none. One that is closed is gone.
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

const UNABLE: &str =
    "input goes through a terminal by stty, sed and base64, and the target lacks one of them";

const NOT_STARTED: &str = "the command was not started as the other user";
const TERMINAL_HINT: &str = "; the tool wants a terminal, which get_pty gives it";
