//! One thing that is wrong with one key.

use std::fmt;

/// Something wrong with one key of host data, or with one argument.
///
/// An [`Error`](crate::Error) keeps its faults ([`Error::faults`](crate::Error::faults)), so a
/// caller can name the keys as its users know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    key: Option<String>,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Text(String),
    Needs(String),
    Excludes(String),
}

impl Fault {
    /// A fault of `key`. `problem` says what the value is and what was expected. It must not hold a
    /// secret.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: Some(key.into()), problem: Problem::Text(problem.into()) }
    }

    /// The fault that `key` has no effect without the key `other`.
    pub fn needs(key: impl Into<String>, other: impl Into<String>) -> Self {
        Self { key: Some(key.into()), problem: Problem::Needs(other.into()) }
    }

    /// The fault that `key` cannot be combined with the key `other`.
    pub fn excludes(key: impl Into<String>, other: impl Into<String>) -> Self {
        Self { key: Some(key.into()), problem: Problem::Excludes(other.into()) }
    }

    /// A fault of no key in particular.
    pub(crate) fn general(problem: impl Into<String>) -> Self {
        Self { key: None, problem: Problem::Text(problem.into()) }
    }

    /// The key, unless the fault is of no key in particular.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The fault with other names for its keys. `rename` returns `None` for a key that keeps its
    /// name.
    #[must_use]
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let renamed = |key: String| rename(&key).unwrap_or(key);
        let problem = match self.problem {
            Problem::Text(text) => Problem::Text(text),
            Problem::Needs(other) => Problem::Needs(renamed(other)),
            Problem::Excludes(other) => Problem::Excludes(renamed(other)),
        };
        Self { key: self.key.map(renamed), problem }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        match &self.problem {
            Problem::Text(text) => f.write_str(text),
            Problem::Needs(other) => write!(f, "has no effect without {other}"),
            Problem::Excludes(other) => write!(f, "cannot be combined with {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn both_keys_of_a_fault_are_renamed() {
        let flag = |key: &str| key.strip_prefix('_').map(|name| format!("--{name}"));
        for (fault, shown) in [
            (Fault::needs("_a", "_b"), "--a: has no effect without --b"),
            (Fault::excludes("_a", "x"), "--a: cannot be combined with x"),
            (Fault::new("x", "is not _a: _b"), "x: is not _a: _b"),
            (Fault::general("_a"), "_a"),
        ] {
            assert_eq!(fault.renamed(flag).to_string(), shown);
        }
    }
}
