//! The answers of a fake target.

use std::time::Duration;

use hostlink_core::{OutputLine, Stream};
use regex::Regex;

/// The commands that a rule matches. They are compared as they are displayed: `sh -c 'apt-get
/// update'`, secrets masked.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Commands that contain this text.
    Contains(String),
    /// Commands that match this expression.
    Regex(Regex),
}

impl Matcher {
    pub(super) fn matches(&self, command: &str) -> bool {
        match self {
            Self::Contains(text) => command.contains(text),
            Self::Regex(expression) => expression.is_match(command),
        }
    }
}

impl From<&str> for Matcher {
    fn from(text: &str) -> Self {
        Self::Contains(text.to_owned())
    }
}

impl From<Regex> for Matcher {
    fn from(expression: Regex) -> Self {
        Self::Regex(expression)
    }
}

/// The answer to a command. Default: exit code 0, immediately, without output.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Lines of both outputs, in order.
    pub lines: Vec<OutputLine>,
    /// The exit code.
    pub exit_code: i32,
    /// The time that the command takes.
    pub delay: Duration,
}

impl Answer {
    /// Returns a success without output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of standard output.
    #[must_use]
    pub fn with_stdout(self, line: &str) -> Self {
        self.with_line(Stream::Stdout, line)
    }

    /// Adds a line of standard error.
    #[must_use]
    pub fn with_stderr(self, line: &str) -> Self {
        self.with_line(Stream::Stderr, line)
    }

    /// Sets the exit code.
    #[must_use]
    pub fn with_exit_code(self, exit_code: i32) -> Self {
        Self { exit_code, ..self }
    }

    /// Sets how long the command takes.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn with_line(mut self, stream: Stream, line: &str) -> Self {
        self.lines.push(OutputLine { stream, line: line.to_owned() });
        self
    }
}

/// One rule of a fake target's script.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The commands that the rule matches.
    pub matcher: Matcher,
    /// The answer to them.
    pub answer: Answer,
}
