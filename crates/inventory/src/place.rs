//! Positions in a text, and what is wrong there.

use std::fmt;
use std::sync::Arc;

use hostlink_core::{Error, ErrorKind, Result};

/// Maximum number of faults of one text that are reported.
const MOST_TOLD: usize = 10;

/// A text with its control characters as they are written in code, since errors are one line.
pub(crate) fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A line and a column, both from 1. Line 0 is nowhere in particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    pub(crate) fn new(line: usize, column: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: number(line), column: number(column) }
    }
}

/// A position in a source: `hosts.yaml:3:5`. The source is a file, or what the command line or code
/// gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    source: Arc<str>,
    position: Position,
}

impl Place {
    pub(crate) fn new(source: &Arc<str>, position: Position) -> Self {
        Self { source: source.clone(), position }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The error with this place in front, unless that is a source as a whole, which says nothing.
    pub(crate) fn put_before(&self, error: Error) -> Error {
        if self.position.line > 0 { error.within(self) } else { error }
    }

    /// The error that something is wrong here.
    pub(crate) fn error(&self, problem: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Inventory, one_line(format!("{self}: {problem}")))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, position: Position { line, column } } = self;
        match (line, column) {
            (0, _) => f.write_str(source),
            (line, 0) => write!(f, "{source}:{line}"),
            (line, column) => write!(f, "{source}:{line}:{column}"),
        }
    }
}

/// The faults of one source, collected so that the user sees all of them at once.
#[derive(Debug)]
pub(crate) struct Faults {
    source: Arc<str>,
    found: Vec<String>,
}

impl Faults {
    pub(crate) fn new(source: &Arc<str>) -> Self {
        Self { source: source.clone(), found: Vec::new() }
    }

    pub(crate) fn add(&mut self, at: Position, problem: impl fmt::Display) {
        self.add_in(&Place::new(&self.source, at), problem);
    }

    /// Adds one of another source.
    pub(crate) fn add_in(&mut self, place: &Place, problem: impl fmt::Display) {
        self.found.push(one_line(format!("{place}: {problem}")));
    }

    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// # Errors
    ///
    /// [`ErrorKind::Inventory`] with all of them, if there are any.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        let more = self.found.len().saturating_sub(MOST_TOLD);
        self.found.truncate(MOST_TOLD);
        if more > 0 {
            self.found.push(format!("and {more} more"));
        }
        Err(Error::new(ErrorKind::Inventory, self.found.join("; ")))
    }
}
