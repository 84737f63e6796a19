//! Finds a script's announcements in its output and answers its prompts.

use std::mem;
use std::time::Duration;

use bytes::Bytes;

use crate::process::Stream;
use crate::script::{Prompt, Question, Script, SudoPrompt};
use crate::secret::Secret;

/// As much of what stands before the announcement as is kept, for errors.
const PREAMBLE: usize = 64 * 1024;

/// How long a line that may be a question has to stand alone before it is one: tools also write `su: ` and then the rest.
const STANDS: Duration = Duration::from_millis(150);

/// The same, for a question that is asked again after its answer: that was wrong, or was given too early.
const STANDS_AGAIN: Duration = Duration::from_secs(3);

/// The same, for what nobody has an answer to. It may be no question: rc files write `Loading: `, too, and go on.
const STANDS_ALONE: Duration = Duration::from_secs(10);

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
    /// `terminal`: there is one stream only, so only one announcement. `beside`: there is a terminal beside the streams.
    pub(crate) fn new(script: &Script, terminal: bool, beside: bool) -> Self {
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
            has_terminal: beside,
            last: Vec::new(),
            stdout: Gate::default(),
            stderr: if terminal { Gate::Open } else { Gate::default() },
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
        // The first word counts: later ones may be those of whoever has read the token in an argument list.
        (if innermost { &mut self.inner } else { &mut self.outer }).get_or_insert(leader);
        innermost
    }

    /// Takes in what a tool writes to the terminal beside the streams. None of it is the command's output.
    pub(crate) fn hear_terminal(&mut self, bytes: &[u8]) {
        if self.started() {
            return;
        }
        self.terminal.extend_from_slice(bytes);
        let line = self.terminal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let before: Vec<u8> = self.terminal.drain(..line).collect();
        self.keep(&before);
        let excess = self.terminal.len().saturating_sub(PREAMBLE);
        self.terminal.drain(..excess);
    }

    /// How long nothing more may come for what stands last to be a question; `None` where it is none.
    pub(crate) fn question_stands(&self) -> Option<Duration> {
        if self.started() {
            return None;
        }
        let place = self.asking()?;
        Some(match self.next_colon(place) {
            Some(_) => STANDS,
            None if self.is_last(self.pending(place)) => STANDS_AGAIN,
            // Elsewhere the command could start all the same, without its input.
            None if self.is_gated || self.has_answered() => STANDS_ALONE,
            None => return None,
        })
    }

    fn pending(&self, place: Place) -> &[u8] {
        match place {
            Place::Terminal => &self.terminal,
            Place::Stdout => self.stdout.pending(),
            Place::Stderr => self.stderr.pending(),
        }
    }

    /// Whether this is what was asked last, once more.
    fn is_last(&self, text: &[u8]) -> bool {
        !self.last.is_empty() && last_line(text) == self.last
    }

    /// What is to be done about a question that has stood so long.
    pub(crate) fn take_question(&mut self) -> Heard {
        let mut heard = Heard::default();
        let Some(place) = self.asking() else { return heard };
        let question = match place {
            Place::Terminal => mem::take(&mut self.terminal),
            Place::Stdout => mem::take(&mut self.stdout).into_pending(),
            Place::Stderr => mem::take(&mut self.stderr).into_pending(),
        };
        self.keep(&question);
        match self.next_colon(place) {
            Some(next) => {
                self.last = last_line(&question).to_vec();
                heard.answers.push(self.answer(next, place));
            }
            None if self.is_last(&question) => heard.unanswered = Some(Unanswered::Again),
            None => heard.unanswered = Some(Unanswered::Unknown),
        }
        heard
    }

    /// Where the last line has no end, and asks with a colon. The full-width one is what Chinese and Japanese ask with.
    fn asking(&self) -> Option<Place> {
        self.outer?;
        let asks = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.trim_end_matches(' ').ends_with([':', '\u{ff1a}'])
        };
        let places = [(Place::Stdout, &self.stdout), (Place::Stderr, &self.stderr)];
        let streams = places.into_iter().find(|(_, gate)| asks(gate.pending()));
        let terminal = asks(&self.terminal).then_some(Place::Terminal);
        terminal.or(streams.map(|(place, _)| place))
    }

    /// The first question without an answer that is known by its colon only, and may come here.
    fn next_colon(&self, place: Place) -> Option<usize> {
        let is_elsewhere =
            |prompt: &Prompt| prompt.on_terminal && self.has_terminal && place != Place::Terminal;
        let is_open = |(prompt, state): &(Prompt, State)| {
            prompt.question == Question::Colon && *state == State::Open && !is_elsewhere(prompt)
        };
        self.prompts.iter().position(is_open)
    }

    /// Whether a secret has been sent.
    pub(crate) fn has_answered(&self) -> bool {
        self.prompts.iter().any(|(_, state)| *state == State::Answered)
    }

    /// Takes in what the script says of its tools. Each line comes on every stream: what stands behind it there is later.
    fn take_cues(&mut self, pending: &mut Vec<u8>, heard: &mut Heard) {
        for cue in &self.cues {
            let Some(at) = find(pending, cue.as_bytes()) else { continue };
            let rest = pending[at..].iter().position(|byte| *byte == b'\n');
            pending.drain(at..rest.map_or(pending.len(), |rest| at + rest + 1));
            if let Some(prompt) = self.sudo_prompt.take_if(|prompt| prompt.wanted == *cue) {
                heard.answers.push(Answer { secret: prompt.text, on_terminal: false });
            }
            for (prompt, state) in &mut self.prompts {
                *state = match *state {
                    State::Early if prompt.from.as_ref() == Some(cue) => State::Open,
                    State::Early | State::Open if prompt.until.as_ref() == Some(cue) => State::Over,
                    state => state,
                };
            }
        }
    }

    fn answer(&mut self, number: usize, place: Place) -> Answer {
        let (prompt, state) = &mut self.prompts[number];
        *state = State::Answered;
        Answer { secret: prompt.answer.clone(), on_terminal: place == Place::Terminal }
    }

    fn answer_token(&mut self, pending: &mut Vec<u8>, heard: &mut Heard, place: Place) {
        for number in 0..self.prompts.len() {
            let (prompt, state) = &self.prompts[number];
            let Question::Token(token) = &prompt.question else { continue };
            let Some(at) = find(pending, token.as_bytes()) else { continue };
            // sudo-rs goes on on this line, with a colon.
            let end = at + token.len();
            let rest = pending[end..].iter().position(|byte| *byte == b'\n');
            pending.drain(..rest.map_or(pending.len(), |rest| end + rest));
            match state {
                State::Open => heard.answers.push(self.answer(number, place)),
                State::Answered => heard.unanswered = Some(Unanswered::Again),
                State::Early | State::Over => {}
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

/// What stands on the last line, without the spaces at its end.
fn last_line(text: &[u8]) -> &[u8] {
    let line = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    text[line..].trim_ascii()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests;
