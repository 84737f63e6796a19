//! The input and the findings of a rule.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;

/// A file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    /// Empty for a file that is not UTF-8: only its name can break a rule.
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn read(root: &Path, path: &str) -> anyhow::Result<Self> {
        let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        Ok(Self::new(path, &String::from_utf8(bytes).unwrap_or_default()))
    }

    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension().and_then(|it| it.to_str());
        extension.is_some_and(|it| extensions.contains(&it))
    }

    /// Returns the lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        // `str::lines` would hide a carriage return.
        self.text.split_terminator('\n').enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether all of this file is compiled for tests only.
    pub(crate) fn is_test(&self) -> bool {
        let in_folder = self.path.split('/').any(|it| it == "tests" || it == "testkit");
        in_folder || self.path.ends_with("/tests.rs")
    }

    pub(crate) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Returns a finding with `message` for each line that `violates`.
    pub(crate) fn find(&self, message: &str, violates: impl Fn(&str) -> bool) -> Vec<Finding> {
        let found = self.lines().filter(|(_, line)| violates(line));
        found.map(|(number, _)| self.finding(number, message)).collect()
    }
}

/// A violation of a rule. It prints as `path:line: message`, which editors can jump to.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Returns the lines that `rule` reports for a file at `path` with `text`.
#[cfg(test)]
pub(crate) fn lines_found(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text)).iter().map(|it| it.line).collect()
}
