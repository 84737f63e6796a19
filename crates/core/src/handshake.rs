//! Finds a script's announcements in its output and answers its prompts.

use std::mem;

use bytes::Bytes;

use crate::process::Stream;
use crate::script::{Prompt, Question, Script};
use crate::secret::Secret;

/// As much of what stands before the announcement as is kept, for errors.
const PREAMBLE: usize = 64 * 1024;

/// A shell that announced itself, and the process group to kill with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) pid: i32,
    /// Unknown without /proc, or where nobody asked.
    pub(crate) known_group: Option<i32>,
    /// When the group's leader started, in the target's clock ticks; tells it from a later process with its pid.
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
    /// Answers that are to be typed now.
    pub(crate) answers: Vec<Secret>,
    /// A question that has had its answer was asked again: the answer was wrong.
    pub(crate) refused: bool,
}

/// The state of one script's start.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    token: Vec<u8>,
    prompts: Vec<(Prompt, bool)>,
    stdout: Gate,
    stderr: Gate,
    preamble: Vec<u8>,
    pub(crate) outer: Option<Leader>,
    pub(crate) inner: Option<Leader>,
}

/// Whether a stream's own output has begun.
#[derive(Debug)]
enum Gate {
    Closed(Vec<u8>),
    Open,
}

impl Default for Gate {
    fn default() -> Self {
        Self::Closed(Vec::new())
    }
}

impl Handshake {
    /// `terminal`: there is one stream only, so only one announcement.
    pub(crate) fn new(script: &Script, terminal: bool) -> Self {
        Self {
            token: script.token().as_bytes().to_vec(),
            prompts: script.prompts().iter().map(|prompt| (prompt.clone(), false)).collect(),
            stdout: Gate::default(),
            stderr: if terminal { Gate::Open } else { Gate::default() },
            preamble: Vec::new(),
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
        if self.outer.is_some() {
            self.answer(&mut pending, &mut heard);
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
        let innermost = words.next() == Some("in");
        let mut numbers = words.map(|word| word.parse::<u64>().ok());
        let mut number = || numbers.next().flatten();
        let leader = Leader {
            pid: number().and_then(|pid| pid.try_into().ok()).unwrap_or(0),
            known_group: number().and_then(|group| group.try_into().ok()),
            start: number(),
            session: number().and_then(|session| session.try_into().ok()),
        };
        *(if innermost { &mut self.inner } else { &mut self.outer }) = Some(leader);
        innermost
    }

    fn answer(&mut self, pending: &mut Vec<u8>, heard: &mut Heard) {
        for (prompt, answered) in &mut self.prompts {
            let Some(end) = end_of_question(&prompt.question, pending) else { continue };
            pending.drain(..end);
            heard.refused |= *answered;
            if !mem::replace(answered, true) {
                heard.answers.push(prompt.answer.clone());
            }
            return;
        }
    }

    fn keep(&mut self, text: &[u8]) {
        self.preamble.extend_from_slice(text);
        let excess = self.preamble.len().saturating_sub(PREAMBLE);
        self.preamble.drain(..excess);
    }
}

/// Where a question ends that stands in the text.
fn end_of_question(question: &Question, text: &[u8]) -> Option<usize> {
    match question {
        Question::Token(token) => find(text, token.as_bytes()).map(|at| at + token.len()),
        // The full-width colon is what Chinese and Japanese ask with.
        Question::Colon => {
            let asked = String::from_utf8_lossy(text);
            asked.trim_end_matches(' ').ends_with([':', '\u{ff1a}']).then_some(text.len())
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::ConnectorArguments;
    use crate::command::StringCommand;
    use crate::script::{Channel, Groups};

    fn script(arguments: &ConnectorArguments) -> Script {
        let command = StringCommand::shell("id");
        Script::new(&command, arguments, Channel::Pipes, Groups::LookedUp, |_| true).unwrap()
    }

    #[test]
    fn the_announcement_is_found_across_the_borders_of_chunks() {
        let script = script(&ConnectorArguments::new());
        let text = format!("motd{} in 7 6 55 5\r\nout", script.token());
        let mut handshake = Handshake::new(&script, false);
        let mut output = Vec::new();
        for byte in text.bytes() {
            output.extend(handshake.hear(Stream::Stdout, Bytes::from(vec![byte])).output);
        }
        assert_eq!(output, b"out");
        assert_eq!(
            handshake.inner,
            Some(Leader { pid: 7, known_group: Some(6), start: Some(55), session: Some(5) })
        );
        assert_eq!(handshake.preamble(), b"motd");
    }

    #[test]
    fn one_stream_opens_without_the_other() {
        let script = script(&ConnectorArguments::new());
        let mut handshake = Handshake::new(&script, false);
        handshake.hear(Stream::Stdout, script.announcement().into());
        assert!(handshake.started());
        assert!(handshake.hear(Stream::Stderr, Bytes::from_static(b"noise")).output.is_empty());
    }

    #[test]
    fn a_prompt_is_answered_once_and_its_return_is_a_refusal() {
        let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_password("pw");
        let script = script(&arguments);
        let Question::Token(token) = &script.prompts()[0].question else { panic!("no token") };
        let ask = Bytes::from(format!("[sudo: {token}] "));
        let mut handshake = Handshake::new(&script, false);
        assert!(handshake.hear(Stream::Stderr, ask.clone()).answers.is_empty(), "nobody asks yet");
        let mut handshake = Handshake::new(&script, false);
        handshake.hear(Stream::Stdout, format!("{} out 7 7 1\n", script.token()).into());
        assert_eq!(handshake.hear(Stream::Stderr, ask.clone()).answers.len(), 1);
        let again = handshake.hear(Stream::Stderr, ask);
        assert!(again.refused && again.answers.is_empty());
    }

    #[test]
    fn what_stands_before_is_bounded() {
        let script = script(&ConnectorArguments::new());
        let mut handshake = Handshake::new(&script, false);
        for _ in 0..100 {
            handshake.hear(Stream::Stdout, Bytes::from(vec![b'x'; 10_000]));
        }
        assert!(handshake.preamble().len() <= 3 * PREAMBLE);
    }
}
