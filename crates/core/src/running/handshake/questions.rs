//! Recognizes questions of privilege tools.

use std::mem;
use std::time::Duration;

use super::{Answer, Findings, Handshake, NoAnswer, Origin, PREAMBLE, State, find};
use crate::shell::script::{Prompt, Question};

/// Time for which an unfinished line must stay unfinished to be a question: tools also write `su: `
/// and then the rest.
const QUESTION_DELAY: Duration = Duration::from_millis(150);

/// The delay for a question that is asked again after its answer: the answer was wrong, or was
/// given too early.
const REPEATED_DELAY: Duration = Duration::from_secs(3);

/// The delay for a question that has no answer. It may be none: start-up files write `Loading: `,
/// too, and continue.
const UNKNOWN_DELAY: Duration = Duration::from_secs(10);

/// The delay for such a question on standard error after an answer: sudo asks there for a new
/// password if the old one has expired, and start-up files write to standard output.
const UNKNOWN_DELAY_AFTER_ANSWER: Duration = Duration::from_secs(3);

impl Handshake {
    /// Processes what a tool writes to the terminal beside the streams. None of it is the command's
    /// output.
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

    /// Returns the time for which the last line must stay unfinished to be a question; `None` if it
    /// cannot be one.
    pub(crate) fn question_delay(&self) -> Option<Duration> {
        if self.started() {
            return None;
        }
        let origin = self.open_question()?;
        Some(match self.next_colon(origin) {
            Some(_) => QUESTION_DELAY,
            None if self.is_last(self.pending(origin)) => REPEATED_DELAY,
            None if self.has_answered() && origin == Origin::Stderr => UNKNOWN_DELAY_AFTER_ANSWER,
            // Without a gate the command could start all the same, without its input.
            None if self.is_gated || self.has_answered() => UNKNOWN_DELAY,
            None => return None,
        })
    }

    fn pending(&self, origin: Origin) -> &[u8] {
        match origin {
            Origin::Terminal => &self.terminal,
            Origin::Stdout => self.stdout.pending(),
            Origin::Stderr => self.stderr.pending(),
        }
    }

    /// Returns whether this repeats the question that was answered last.
    fn is_last(&self, text: &[u8]) -> bool {
        !self.last.is_empty() && last_line(text) == self.last
    }

    /// Takes the question whose delay has passed, and finds its answer.
    pub(crate) fn take_question(&mut self) -> Findings {
        let mut findings = Findings::default();
        let Some(origin) = self.open_question() else { return findings };
        let question = match origin {
            Origin::Terminal => mem::take(&mut self.terminal),
            Origin::Stdout => mem::take(&mut self.stdout).into_pending(),
            Origin::Stderr => mem::take(&mut self.stderr).into_pending(),
        };
        self.keep(&question);
        match self.next_colon(origin) {
            Some(next) => {
                self.last = last_line(&question).to_vec();
                findings.answers.push(self.answer(next, origin));
            }
            None if self.is_last(&question) => findings.unanswered = Some(NoAnswer::Refused),
            None => findings.unanswered = Some(NoAnswer::Unknown),
        }
        findings
    }

    /// Returns where the last line is unfinished and ends in a colon. Chinese and Japanese prompts
    /// end in the full-width one.
    fn open_question(&self) -> Option<Origin> {
        self.outer?;
        let asks = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.trim_end_matches(' ').ends_with([':', '\u{ff1a}'])
        };
        let places = [(Origin::Stdout, &self.stdout), (Origin::Stderr, &self.stderr)];
        let streams = places.into_iter().find(|(_, gate)| asks(gate.pending()));
        let terminal = asks(&self.terminal).then_some(Origin::Terminal);
        terminal.or(streams.map(|(origin, _)| origin))
    }

    /// Returns the first expected question that is recognized by its colon and may come from here.
    fn next_colon(&self, origin: Origin) -> Option<usize> {
        let is_elsewhere =
            |prompt: &Prompt| prompt.on_terminal && self.has_terminal && origin != Origin::Terminal;
        let is_open = |(prompt, state): &(Prompt, State)| {
            prompt.question == Question::Colon && *state == State::Open && !is_elsewhere(prompt)
        };
        self.prompts.iter().position(is_open)
    }

    /// Returns whether a secret has been sent.
    pub(crate) fn has_answered(&self) -> bool {
        self.prompts.iter().any(|(_, state)| *state == State::Answered)
    }

    /// Processes the script's reports about its tools. Each line comes on every stream, so what
    /// follows it there is later.
    pub(super) fn take_cues(&mut self, pending: &mut Vec<u8>, findings: &mut Findings) {
        for cue in &self.cues {
            let Some(at) = find(pending, cue.as_bytes()) else { continue };
            let rest = pending[at..].iter().position(|byte| *byte == b'\n');
            pending.drain(at..rest.map_or(pending.len(), |rest| at + rest + 1));
            if let Some(prompt) = self.sudo_prompt.take_if(|prompt| prompt.wanted == *cue) {
                findings.answers.push(Answer { secret: prompt.text, on_terminal: false });
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

    fn answer(&mut self, number: usize, origin: Origin) -> Answer {
        let (prompt, state) = &mut self.prompts[number];
        *state = State::Answered;
        Answer { secret: prompt.answer.clone(), on_terminal: origin == Origin::Terminal }
    }

    pub(super) fn answer_token(
        &mut self,
        pending: &mut Vec<u8>,
        findings: &mut Findings,
        origin: Origin,
    ) {
        for number in 0..self.prompts.len() {
            let (prompt, state) = &self.prompts[number];
            let Question::Token(token) = &prompt.question else { continue };
            let Some(at) = find(pending, token.as_bytes()) else { continue };
            // sudo-rs continues this line, with a colon.
            let end = at + token.len();
            let rest = pending[end..].iter().position(|byte| *byte == b'\n');
            pending.drain(..rest.map_or(pending.len(), |rest| end + rest));
            match state {
                State::Open => findings.answers.push(self.answer(number, origin)),
                State::Answered => findings.unanswered = Some(NoAnswer::Refused),
                State::Early | State::Over => {}
            }
            return;
        }
    }
}

/// Returns the last line, without surrounding spaces.
fn last_line(text: &[u8]) -> &[u8] {
    let line = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    text[line..].trim_ascii()
}
