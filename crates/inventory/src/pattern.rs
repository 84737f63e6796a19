//! A limit or an exclusion, as written.

use std::collections::HashSet;

use hostlink_core::{Error, ErrorKind, Result};
use wildmatch::WildMatch;

use crate::definition::long_name;
use crate::place::one_line;
use crate::range::Ranges;
use crate::words::split;

/// How many names with wildcards one element may stand for: every host is compared with each.
const MOST_GLOBS: usize = 1_000;

/// A limit or an exclusion, as written.
///
/// Elements are separated by commas: a host, a group, `@connector` (the hosts that it lists or
/// reaches; the group of that name where there is no such connector), a name with ranges or with
/// `*` and `?`. An element behind `&` must match as well, one behind `!` must not; they may also
/// follow `:` (`web:&staging:!web3`). As with Ansible, all plain elements are joined first, then
/// narrowed by those with `&`, then by those with `!`.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    pub(crate) any: Vec<Element>,
    pub(crate) also: Vec<Element>,
    pub(crate) not: Vec<Element>,
}

/// What may stand between commas.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Exact(String),
    Names(HashSet<String>),
    /// Several where a range has a wildcard beside it.
    Globs(Vec<Glob>),
}

/// A name with wildcards.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    text: WildMatch,
    begins_with_at: bool,
    /// Whether it may mean hosts by their long names.
    is_long: bool,
}

impl Glob {
    fn new(text: &str) -> Self {
        let begins_with_at = text.starts_with('@');
        let is_long = begins_with_at && text.contains('/');
        Self { text: WildMatch::new(text), begins_with_at, is_long }
    }

    pub(crate) fn fits_group(&self, name: &str) -> bool {
        self.text.matches(name)
    }

    /// Whether it means what a connector lists: only if it begins like the names of connectors.
    pub(crate) fn fits_lister(&self, name: &str) -> bool {
        self.begins_with_at && self.text.matches(name)
    }

    pub(crate) fn fits_host(&self, name: &str) -> bool {
        let fits_long = || long_name(name).is_some_and(|name| self.text.matches(&name));
        self.text.matches(name) || (self.is_long && fits_long())
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: an empty element, one with two operators, or a range that is none.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut pattern, mut ranges) = (Self::default(), Ranges::default());
        for part in split(text) {
            for (index, word) in operators(part).into_iter().enumerate() {
                let word = word.trim();
                let list = match word.as_bytes().first() {
                    Some(b'&') => &mut pattern.also,
                    Some(b'!') => &mut pattern.not,
                    _ if index == 0 => &mut pattern.any,
                    _ => unreachable!("what follows a colon begins with & or !"),
                };
                let word = word.strip_prefix(['&', '!']).unwrap_or(word).trim();
                list.push(Element::parse(word, text, &mut ranges)?);
            }
        }
        Ok(pattern)
    }

    /// The union of several, each as if it stood there alone with the others' commas.
    #[must_use]
    pub fn join(patterns: impl IntoIterator<Item = Self>) -> Option<Self> {
        patterns.into_iter().reduce(|mut all, more| {
            all.any.extend(more.any);
            all.also.extend(more.also);
            all.not.extend(more.not);
            all
        })
    }
}

/// Splits before each `:&` and `:!`, without the colon.
fn operators(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let next = |text: &str| [text.find(":&"), text.find(":!")].into_iter().flatten().min();
    while let Some(at) = next(rest) {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

impl Element {
    fn parse(text: &str, whole: &str, ranges: &mut Ranges) -> Result<Self> {
        if text.is_empty() {
            let message = format!("{whole:?} is no choice of hosts: an element is empty");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        if text.starts_with(['&', '!']) {
            let message = format!("{whole:?} is no choice of hosts: one of & and ! is enough");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        let names = ranges.expand(text, 0)?;
        let kind = if text.contains(['*', '?']) {
            if names.len() > MOST_GLOBS {
                let count = names.len();
                let message = format!(
                    "{text} stands for {count} names with wildcards, which are more than {MOST_GLOBS}: leave the range or the wildcard out"
                );
                return Err(Error::new(ErrorKind::Inventory, one_line(message)));
            }
            Kind::Globs(names.iter().map(|name| Glob::new(name)).collect())
        } else if names.len() == 1 {
            Kind::Exact(names.into_iter().collect())
        } else {
            Kind::Names(names.into_iter().collect())
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}
