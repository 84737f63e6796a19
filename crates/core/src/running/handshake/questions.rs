//! Which question is asked, and by whom.

use std::mem;
use std::time::Duration;

use super::{Answer, Handshake, Heard, PREAMBLE, Place, State, Unanswered, find};
use crate::shell::script::{Prompt, Question};

/// How long a line that may be a question has to stand alone before it is one: tools also write
/// `su: ` and then the rest.
const STANDS: Duration = Duration::from_millis(150);

/// The same, for a question that is asked again after its answer: that was wrong, or was given too
/// early.
const STANDS_AGAIN: Duration = Duration::from_secs(3);

/// The same, for what has no answer. It may be no question: start-up files write `Loading: `, too,
/// and go on.
const STANDS_ALONE: Duration = Duration::from_secs(10);

/// The same, on standard error after an answer: sudo asks there for a new password, if the old one
/// has expired, and start-up files write to standard output.
const STANDS_ALONE_AFTER_ANSWER: Duration = Duration::from_secs(3);

impl Handshake {
    /// Takes in what a tool writes to the terminal beside the streams. None of it is the command's
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

    /// How long nothing more may come for what stands last to be a question; `None` where it is
    /// none.
    pub(crate) fn question_stands(&self) -> Option<Duration> {
        if self.started() {
            return None;
        }
        let place = self.asking()?;
        Some(match self.next_colon(place) {
            Some(_) => STANDS,
            None if self.is_last(self.pending(place)) => STANDS_AGAIN,
            None if self.has_answered() && place == Place::Stderr => STANDS_ALONE_AFTER_ANSWER,
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

    /// Where the last line has no end, and asks with a colon. The full-width one is what Chinese
    /// and Japanese ask with.
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

    /// Takes in what the script says of its tools. Each line comes on every stream: what stands
    /// behind it there is later.
    pub(super) fn take_cues(&mut self, pending: &mut Vec<u8>, heard: &mut Heard) {
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

    pub(super) fn answer_token(&mut self, pending: &mut Vec<u8>, heard: &mut Heard, place: Place) {
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
}

/// What stands on the last line, without the spaces at its end.
fn last_line(text: &[u8]) -> &[u8] {
    let line = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    text[line..].trim_ascii()
}
