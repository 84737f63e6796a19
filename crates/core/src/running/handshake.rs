//! Finds a script's announcements in its output and answers its prompts.
//!
//! # How prompts are answered
//!
//! Nobody but the tool may get a password. sudo's question has a token of ours, which whoever knows
//! it could ask with as well: a user whom one becomes, from a start-up file, where sudo itself does
//! not ask. Arguments can be read by everybody. So the shell in front of sudo says that it wants
//! the token, reads it from its input and hands it on as `SUDO_PROMPT` (sudo(8)), which costs one
//! way to the target and back. To ask sudo first whether it asks (`sudo -n -k`) was tried: sudoers
//! may say something else of each command, and a login shell decides over the exit code. The
//! questions of su and doas are known by a colon alone. A line of ours says when doas has handed on
//! and when su is next: what asks outside of that gets no answer, and doas's counts on its own
//! terminal only, where it has one.
//!
//! Where an answer may go astray, the innermost shell reads away what stands before our word to go
//! on (`Script::gate`) and starts nothing without it: a password that nobody took is never the
//! command's input, and a command that was given up while a login shell was busy never starts. A
//! terminal shows nothing of what is sent until then. The first announcement of each kind counts. A
//! question without an answer stands for 10 s, since start-up files write `Loading: `, too. A
//! transfer cleans up after itself only if one of its scripts has started: before that there is
//! nothing to remove, and a wrong password is not tried twice.
//!
//! A question whose answer was refused gets the end of its input: the tool then ends by itself, and
//! says why. No kill goes with a password that has not given the privilege yet. A colon is a
//! question where nothing comes behind it for 0.15 s, since tools also write `su: ` first and then
//! the rest. Where a connection can give one (`Features::terminal_beside_pipes`), a tool that wants
//! a terminal gets it as controlling terminal beside the pipes (doas with a password at once, sudo
//! when it has refused for want of one, which it does before it asks). `kill(2)` of a group
//! succeeds if one process was reached: of privileged groups that says nothing unless we are root,
//! so the kill with the same privilege decides; that the group is gone, /proc proves.

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

/// As much of what stands before the announcement as is kept, for errors.
const PREAMBLE: usize = 64 * 1024;

pub(crate) fn not_started_in_time(limit: Duration) -> Error {
    let message = format!("not started as the other user within {limit:?}: is a password wanted?");
    Error::new(ErrorKind::Privilege, message)
}

/// What ends the input of a terminal.
pub(crate) const END_OF_TRANSMISSION: &[u8] = b"\x04";

/// How long a privilege tool may take to start the command. PAM modules may wait for some seconds
/// on purpose.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// A shell that announced itself, and the process group to kill with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) pid: i32,
    /// Unknown without /proc, or where nobody asked.
    pub(crate) known_group: Option<i32>,
    /// When the group's leader started, in the target's clock ticks; tells it from a later process
    /// with its pid.
    pub(crate) start: Option<u64>,
    /// The session, where the group is known.
    pub(crate) session: Option<i32>,
}

impl Leader {
    /// The group, which its own pid is where the group is not known.
    pub(crate) fn group(&self) -> i32 {
        self.known_group.unwrap_or(self.pid)
    }
}

/// What one chunk turned out to be.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The command's own output.
    pub(crate) output: Bytes,
    /// Answers that are to be given now.
    pub(crate) answers: Vec<Answer>,
    /// There is no answer to what was asked.
    pub(crate) unanswered: Option<Unanswered>,
}

/// Why a question gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It has had its answer, and was asked again: the answer was wrong.
    Again,
    /// Nobody knows one.
    Unknown,
}

/// The answer to a question.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) secret: Secret,
    /// It is typed on the terminal beside the streams, where the question came from.
    pub(crate) on_terminal: bool,
}

/// Where something was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
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
    /// The lines of the script that say how far its tools are.
    cues: Vec<String>,
    /// The question that was answered last, where it is known by its colon.
    last: Vec<u8>,
    stdout: Gate,
    stderr: Gate,
    /// There is a terminal beside the streams.
    has_terminal: bool,
    /// What stands there, on its last line.
    terminal: Vec<u8>,
    preamble: Vec<u8>,
    /// The command is not started without our word.
    is_gated: bool,
    /// The command's input cannot come through its terminal.
    pub(crate) is_unable: bool,
    pub(crate) outer: Option<Leader>,
    pub(crate) inner: Option<Leader>,
}

/// What a process writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    /// A terminal, so there is one announcement.
    One,
    /// Standard output and standard error.
    Two,
    /// The same, and a terminal that tools ask on.
    TwoBesideTerminal,
}

/// What became of a question that may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not asked yet; what looks like it is another tool's.
    Early,
    Open,
    Answered,
    /// It is not going to be asked any more.
    Over,
}

/// Whether a stream's own output has begun.
#[derive(Debug)]
enum Gate {
    Closed(Vec<u8>),
    Open,
}

impl Gate {
    fn pending(&self) -> &[u8] {
        match self {
            Self::Closed(pending) => pending,
            Self::Open => &[],
        }
    }

    fn into_pending(self) -> Vec<u8> {
        match self {
            Self::Closed(pending) => pending,
            Self::Open => Vec::new(),
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::Closed(Vec::new())
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
            stdout: Gate::default(),
            stderr: if streams == Streams::One { Gate::Open } else { Gate::default() },
            terminal: Vec::new(),
            preamble: Vec::new(),
            is_gated: script.gate().is_some(),
            is_unable: false,
            outer: None,
            inner: None,
        }
    }

    /// Whether the command has started: from here on it is never run again by us.
    pub(crate) fn started(&self) -> bool {
        self.inner.is_some()
    }

    /// What is needed to kill it, without the streams.
    pub(crate) fn leaders(&self) -> Self {
        Self { outer: self.outer, inner: self.inner, ..Self::default() }
    }

    /// What the target wrote before the command started: rc files, lectures, a tool's refusal.
    pub(crate) fn preamble(&self) -> Vec<u8> {
        let mut all = self.preamble.clone();
        for gate in [&self.stdout, &self.stderr] {
            if let Gate::Closed(pending) = gate {
                all.extend_from_slice(pending);
            }
        }
        all.extend_from_slice(&self.terminal);
        all
    }

    /// Takes a chunk in.
    pub(crate) fn hear(&mut self, stream: Stream, bytes: Bytes) -> Heard {
        let gate = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Gate::Closed(pending) = gate else {
            return Heard { output: bytes, ..Heard::default() };
        };
        let mut pending = mem::take(pending);
        pending.extend_from_slice(&bytes);
        let mut heard = Heard::default();
        let place = match stream {
            Stream::Stdout => Place::Stdout,
            Stream::Stderr => Place::Stderr,
        };
        while let Some((at, end)) = self.find_announcement(&pending) {
            let opened = self.announced(&String::from_utf8_lossy(&pending[at..end]));
            self.keep(&pending[..at]);
            pending.drain(..end);
            if opened {
                heard.output = pending.into();
                *self.gate(stream) = Gate::Open;
                return heard;
            }
        }
        self.take_cues(&mut pending, &mut heard);
        if self.outer.is_some() {
            self.answer_token(&mut pending, &mut heard, place);
        }
        if pending.len() > 2 * PREAMBLE {
            let from = pending.len() - PREAMBLE;
            self.keep(&pending[..from]);
            pending.drain(..from);
        }
        *self.gate(stream) = Gate::Closed(pending);
        heard
    }

    fn gate(&mut self, stream: Stream) -> &mut Gate {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Where a whole announcement begins and ends, its newline included.
    fn find_announcement(&self, text: &[u8]) -> Option<(usize, usize)> {
        let at = find(text, &self.token)?;
        let length = text[at..].iter().position(|byte| *byte == b'\n')?;
        Some((at, at + length + 1))
    }

    /// Reads `TOKEN in PID GROUP START SESSION`; true if it was the innermost shell's.
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
        // The first word counts: later ones may be those of whoever has read the token in an
        // argument list.
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
