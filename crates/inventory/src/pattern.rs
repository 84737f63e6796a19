//! A limit or an exclusion, as written.

use std::collections::HashSet;
use std::path::Path;

use hostlink_core::{Error, ErrorKind, Result};
use regex::Regex;
use wildmatch::WildMatch;

use crate::definition::long_name;
use crate::file;
use crate::place::one_line;
use crate::range::Ranges;
use crate::words::{split, without_last_comma};

/// Maximum number of names with wildcards of one element: every host is compared with each.
const MOST_GLOBS: usize = 1_000;

/// A limit or an exclusion, as written.
///
/// Elements are separated by commas: a host, a group, `@connector` (the hosts that it lists or
/// reaches; the group of that name where there is no such connector), a name with ranges or with
/// `*` and `?`. An element after `&` must match as well, one after `!` must not; they may also
/// follow `:` (`web:&staging:!web3`). As with Ansible, all plain elements are joined first, then
/// narrowed by those with `&`, then by those with `!`.
///
/// Further elements are Ansible's: `~REGEX` matches names from their beginning, `web[0]`, `web[-1]`
/// and `web[1:]` are hosts of the group `web` by their position, `ungrouped` is the hosts that are
/// in no group, and `@FILE` stands for the elements in the lines of a file.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    pub(crate) any: Vec<Element>,
    pub(crate) also: Vec<Element>,
    pub(crate) not: Vec<Element>,
}

/// One element between commas.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// The part of the group, if there is such a group.
    pub(crate) slice: Option<Slice>,
}

/// Hosts of a group by their position: `web[0]`, `web[-1]`, `web[1:3]`, `web[1:]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) group: String,
    /// From the end if it is negative.
    first: i64,
    /// The last position, which is included; `None` for the end.
    last: Option<i64>,
}

impl Slice {
    fn parse(text: &str) -> Option<Self> {
        let (group, inner) = text.strip_suffix(']')?.rsplit_once('[')?;
        let number = |text: &str| -> Option<i64> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
        };
        let (first, last) = match inner.split_once([':', '-']) {
            Some(("", last)) => (-number(last).filter(|_| inner.starts_with('-'))?, None),
            Some((first, "")) => (number(first)?, None),
            Some((first, last)) => (number(first)?, Some(number(last)?)),
            None => (number(inner)?, None),
        };
        let is_one = !inner[1.min(inner.len())..].contains([':', '-']);
        let last = if is_one { Some(first) } else { last };
        let is_backwards = last.is_some_and(|last| first >= 0 && last < first);
        (!group.is_empty() && !is_backwards).then(|| Self { group: group.to_owned(), first, last })
    }

    /// The members that it means.
    pub(crate) fn of<'a, T>(&self, members: &'a [T]) -> &'a [T] {
        let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
        let at =
            |position: i64| if position < 0 { count.saturating_add(position) } else { position };
        let (first, last) = (at(self.first), self.last.map_or(count - 1, at));
        let end = last.saturating_add(1).min(count);
        match (usize::try_from(first), usize::try_from(end)) {
            (Ok(first), Ok(end)) if first < end => &members[first..end],
            _ => &[],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Exact(String),
    Names(HashSet<String>),
    /// Several where a range has a wildcard beside it.
    Globs(Vec<Glob>),
    /// `~REGEX`, which matches from the beginning of a name.
    Regex(Regex),
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

    /// Returns whether it means what a connector lists: only if it begins like the names of
    /// connectors.
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
        for part in without_last_comma(split(text)) {
            for (index, word) in operators(part).into_iter().enumerate() {
                let word = word.trim();
                let list = match word.as_bytes().first() {
                    Some(b'&') => &mut pattern.also,
                    Some(b'!') => &mut pattern.not,
                    _ if index == 0 => &mut pattern.any,
                    _ => unreachable!("what follows a colon begins with & or !"),
                };
                let is_also = word.starts_with('&');
                let word = word.strip_prefix(['&', '!']).unwrap_or(word).trim();
                match listed_in_file(word) {
                    Some(_) if is_also => {
                        let problem = format!("&{word}: a file cannot follow &");
                        return Err(Error::new(ErrorKind::Inventory, one_line(problem)));
                    }
                    Some(path) => list.extend(of_file(path, &mut ranges)?),
                    None => list.push(Element::parse(word, text, &mut ranges)?),
                }
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

/// The file of `@FILE`. What could be a connector is none (`@docker`, `@docker/web1`), and neither
/// is the group of a name that is no file (`@web_servers`).
fn listed_in_file(word: &str) -> Option<&Path> {
    let path = word.strip_prefix('@')?;
    let head = path.split('/').next().unwrap_or(path);
    let may_be_connector = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !head.is_empty() && head.chars().all(may_be_connector) {
        return None;
    }
    let path = Path::new(path);
    (word.starts_with("@/") || word.starts_with("@.") || path.is_file()).then_some(path)
}

/// The elements of a file, one in each line that is not empty and no comment.
fn of_file(path: &Path, ranges: &mut Ranges) -> Result<Vec<Element>> {
    let text = file::text(path)?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Element::parse(line, line, ranges)).collect()
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
        if let Some(regex) = text.strip_prefix('~') {
            let regex = Regex::new(&format!("^(?:{regex})")).map_err(|error| {
                let problem = error.to_string();
                let reason = problem.lines().last().unwrap_or_default();
                let message = format!("{text}: not a regular expression: {reason}");
                Error::new(ErrorKind::Inventory, one_line(message))
            })?;
            return Ok(Self { text: text.to_owned(), kind: Kind::Regex(regex), slice: None });
        }
        let slice = Slice::parse(text);
        let names = match (ranges.expand(text, 0), &slice) {
            (Ok(names), _) => names,
            // `web[1:]` is no range.
            (Err(_), Some(_)) => vec![text.to_owned()],
            (Err(error), None) => return Err(error),
        };
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
        Ok(Self { text: text.to_owned(), kind, slice })
    }
}

#[cfg(test)]
mod tests {
    use super::Slice;

    #[test]
    fn a_slice_is_hosts_by_their_position() {
        let members = ["a", "b", "c", "d"];
        for (text, wanted) in [
            ("g[0]", "a"),
            ("g[3]", "d"),
            ("g[4]", ""),
            ("g[-1]", "d"),
            ("g[-4]", "a"),
            ("g[-5]", ""),
            ("g[1:]", "b c d"),
            ("g[1:2]", "b c"),
            ("g[1-2]", "b c"),
            ("g[2:9]", "c d"),
        ] {
            let slice = Slice::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((slice.group.as_str(), slice.of(&members).join(" ")), ("g", wanted.into()));
        }
        for text in [
            "g", "[0]", "g[a-c]", "g[]", "g[:]", "g[2:1]", "g[9-1]", "g[1,2]", "g[--1]", "[::1]",
            "g[0]x",
        ] {
            assert_eq!(Slice::parse(text), None, "{text}");
        }
    }
}
