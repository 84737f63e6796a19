//! Finds a script's announcements in its output and answers its prompts.
//!
//! # How prompts are answered
//!
//! Only the tool may get a password.
//!
//! - **sudo** prompts with a token of ours. A process that knows the token could print it as well:
//!   one of the user that the command becomes, from a start-up file, if sudo itself does not ask.
//!   Every user can read arguments. So the shell that starts sudo asks for the token, reads it from
//!   its input and passes it on as `SUDO_PROMPT` (sudo(8)), which costs one round trip. Asking sudo
//!   first whether it prompts (`sudo -n -k`) does not work: sudoers may have another rule for each
//!   command, and a login shell changes the exit code.
//! - **su and doas** are recognized by an unfinished line that ends in a colon and stays silent
//!   for 150 ms, since tools also write `su: ` first and then the rest. The script reports when
//!   doas has started the next tool and when su is next; a question at another time gets no answer.
//!   A question of doas counts on its own terminal only, if it has one.
//! - If a password might be left unread, the innermost shell discards its input until it reads our
//!   go-ahead line (`Script::gate`), and starts nothing without it. So an unread password is never
//!   the command's input, and a command that was cancelled while a login shell was busy never
//!   starts. A terminal does not echo until then.
//! - The first announcement of each kind counts.
//! - A question without an answer waits for 10 s, since start-up files write `Loading: `, too.
//! - A question whose answer was refused gets the end of its input: the tool then ends by itself,
//!   and says why. A wrong password is not tried twice. No kill is sent with a password that has
//!   not been accepted yet, and a transfer cleans up only if one of its scripts has started.
//! - If the connection can provide one (`Features::terminal_beside_pipes`), a tool that needs a
//!   terminal gets it as its controlling terminal beside the pipes: doas with a password from the
//!   start, sudo after it has refused to run without one, which it does before it prompts.
//! - `kill(2)` of a group succeeds if it reached one process, which proves nothing for privileged
//!   groups unless we are root. So only the kill with the same privilege counts, and /proc confirms
//!   that the group is gone.

mod questions;
mod refusal;

use std::mem;
use std::time::Duration;

use bytes::Bytes;

use crate::shell::script::{Prompt, Script, SudoPrompt};
use crate::values::error::{Error, ErrorKind};
use crate::values::io::Stream;
use crate::values::secret::Secret;

pub(crate) use refusal::{is_refused_password, no_answer, refusal};

/// Maximum size of the output before the announcement that is kept for errors, in bytes.
const PREAMBLE: usize = 64 * 1024;

pub(crate) fn not_started_in_time(limit: Duration) -> Error {
    let message =
        format!("not started as the other user within {limit:?}: is a password required?");
    Error::new(ErrorKind::Privilege, message)
}

/// The character that ends the input of a terminal.
pub(crate) const END_OF_TRANSMISSION: &[u8] = b"\x04";

/// Time limit for a privilege tool to start the command. PAM modules may wait for some seconds on
/// purpose.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// A shell that announced itself, and the process group to kill with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) pid: i32,
    /// Unknown without /proc, or if the script did not look it up.
    pub(crate) known_group: Option<i32>,
    /// When the group's leader started, in the target's clock ticks: it distinguishes the group
    /// from a later one with the same number.
    pub(crate) start: Option<u64>,
    /// The session, if the group is known.
    pub(crate) session: Option<i32>,
}

impl Leader {
    /// The group; its own pid if the group is not known.
    pub(crate) fn group(&self) -> i32 {
        self.known_group.unwrap_or(self.pid)
    }
}

/// The findings in one chunk.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The command's own output.
    pub(crate) output: Bytes,
    /// Answers to send now.
    pub(crate) answers: Vec<Answer>,
    /// A question has no answer.
    pub(crate) unanswered: Option<NoAnswer>,
}

/// The reason why a question gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It got its answer, and was asked again: the answer was wrong.
    Refused,
    /// There is none.
    Unknown,
}

/// The answer to a question.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) secret: Secret,
    /// The question came from the terminal beside the streams, where the answer is typed.
    pub(crate) on_terminal: bool,
}

/// The place where a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Stdout,
    Stderr,
    Terminal,
}

/// The state of one script's start.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    token: Vec<u8>,
    prompts: Vec<(Prompt, State)>,
    /// Until the script has asked for it.
    sudo_prompt: Option<SudoPrompt>,
    /// The lines by which the script reports the progress of its tools.
    cues: Vec<String>,
    /// The question that was answered last, if it is recognized by its colon.
    last: Vec<u8>,
    stdout: StreamState,
    stderr: StreamState,
    /// There is a terminal beside the streams.
    has_terminal: bool,
    /// The last line on that terminal.
    terminal: Vec<u8>,
    preamble: Vec<u8>,
    /// The command waits for the go-ahead line.
    is_gated: bool,
    /// The command's input cannot come through its terminal.
    pub(crate) is_unable: bool,
    pub(crate) outer: Option<Leader>,
    pub(crate) inner: Option<Leader>,
}

/// The streams that a process writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    /// A terminal, so there is one announcement.
    One,
    /// Standard output and standard error.
    Two,
    /// Both, and a terminal on which tools prompt.
    TwoBesideTerminal,
}

/// The state of an expected question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its tool has not been started; what looks like it is another tool's.
    Early,
    Open,
    Answered,
    /// Its tool has ended.
    Over,
}

/// The state of a stream: before or after the start of the command's own output.
#[derive(Debug)]
enum StreamState {
    /// Not yet. This text has no announcement so far.
    Preamble(Vec<u8>),
    Started,
}

impl StreamState {
    fn pending(&self) -> &[u8] {
        match self {
            Self::Preamble(pending) => pending,
            Self::Started => &[],
        }
    }

    fn into_pending(self) -> Vec<u8> {
        match self {
            Self::Preamble(pending) => pending,
            Self::Started => Vec::new(),
        }
    }
}

impl Default for StreamState {
    fn default() -> Self {
        Self::Preamble(Vec::new())
    }
}

impl Handshake {
    pub(crate) fn new(script: &Script, streams: Streams) -> Self {
        let first = |prompt: &Prompt| match prompt.from {
            Some(_) => State::Early,
            None => State::Open,
        };
        let prompts = script.prompts().iter();
        let said = prompts.clone().flat_map(|prompt| [&prompt.from, &prompt.until]);
        let wanted = script.sudo_prompt().map(|prompt| prompt.wanted.clone());
        Self {
            token: script.token().as_bytes().to_vec(),
            prompts: prompts.map(|prompt| (prompt.clone(), first(prompt))).collect(),
            sudo_prompt: script.sudo_prompt().cloned(),
            cues: said.flatten().cloned().chain(wanted).collect(),
            has_terminal: streams == Streams::TwoBesideTerminal,
            last: Vec::new(),
            stdout: StreamState::default(),
            stderr: if streams == Streams::One {
                StreamState::Started
            } else {
                StreamState::default()
            },
            terminal: Vec::new(),
            preamble: Vec::new(),
            is_gated: script.gate().is_some(),
            is_unable: false,
            outer: None,
            inner: None,
        }
    }

    /// Returns whether the command has started. From then on it is never run again.
    pub(crate) fn started(&self) -> bool {
        self.inner.is_some()
    }

    /// Returns what is needed to kill it, without the streams.
    pub(crate) fn leaders(&self) -> Self {
        Self { outer: self.outer, inner: self.inner, ..Self::default() }
    }

    /// Returns what the target wrote before the command started: start-up files, lectures, a tool's
    /// refusal.
    pub(crate) fn preamble(&self) -> Vec<u8> {
        let mut all = self.preamble.clone();
        for stream in [&self.stdout, &self.stderr] {
            if let StreamState::Preamble(pending) = stream {
                all.extend_from_slice(pending);
            }
        }
        all.extend_from_slice(&self.terminal);
        all
    }

    /// Processes a chunk of output.
    pub(crate) fn hear(&mut self, stream: Stream, bytes: Bytes) -> Findings {
        let StreamState::Preamble(pending) = self.state(stream) else {
            return Findings { output: bytes, ..Findings::default() };
        };
        let mut pending = mem::take(pending);
        pending.extend_from_slice(&bytes);
        let mut findings = Findings::default();
        let origin = match stream {
            Stream::Stdout => Origin::Stdout,
            Stream::Stderr => Origin::Stderr,
        };
        while let Some((at, end)) = self.find_announcement(&pending) {
            let opened = self.announced(&String::from_utf8_lossy(&pending[at..end]));
            self.keep(&pending[..at]);
            pending.drain(..end);
            if opened {
                findings.output = pending.into();
                *self.state(stream) = StreamState::Started;
                return findings;
            }
        }
        self.take_cues(&mut pending, &mut findings);
        if self.outer.is_some() {
            self.answer_token(&mut pending, &mut findings, origin);
        }
        if pending.len() > 2 * PREAMBLE {
            let from = pending.len() - PREAMBLE;
            self.keep(&pending[..from]);
            pending.drain(..from);
        }
        *self.state(stream) = StreamState::Preamble(pending);
        findings
    }

    fn state(&mut self, stream: Stream) -> &mut StreamState {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Returns the start and the end of a whole announcement, with its newline.
    fn find_announcement(&self, text: &[u8]) -> Option<(usize, usize)> {
        let at = find(text, &self.token)?;
        let length = text[at..].iter().position(|byte| *byte == b'\n')?;
        Some((at, at + length + 1))
    }

    /// Parses `TOKEN in PID GROUP START SESSION`; true if the innermost shell wrote it.
    fn announced(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace().skip(1);
        let place = words.next();
        self.is_unable |= place == Some("unable");
        let innermost = place == Some("in");
        let mut numbers = words.map(|word| word.parse::<u64>().ok());
        let mut number = || numbers.next().flatten();
        let leader = Leader {
            pid: number().and_then(|pid| pid.try_into().ok()).unwrap_or(0),
            known_group: number().and_then(|group| group.try_into().ok()),
            start: number(),
            session: number().and_then(|session| session.try_into().ok()),
        };
        // The first one counts: a process that read the token in an argument list may write later
        // ones.
        (if innermost { &mut self.inner } else { &mut self.outer }).get_or_insert(leader);
        innermost
    }

    fn keep(&mut self, text: &[u8]) {
        self.preamble.extend_from_slice(text);
        let excess = self.preamble.len().saturating_sub(PREAMBLE);
        self.preamble.drain(..excess);
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests;
