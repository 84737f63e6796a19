//! Target names: `@local`, `@docker/web1`, `web1.example.com`, and chains of them.

use crate::values::error::{Error, ErrorKind, Result};

/// The connector of a name without an `@`.
const DEFAULT_CONNECTOR: &str = "ssh";

/// One link of a chain: a connector's name and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameLink<'a> {
    /// The connector's name, without the `@`.
    pub connector: &'a str,
    /// The text after the slash, if there is one.
    pub argument: Option<&'a str>,
}

/// A target's name, taken apart: the links of a chain. There is at least one.
// Most names of a large inventory are one link, which takes no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetName<'a> {
    outer: Vec<NameLink<'a>>,
    last: NameLink<'a>,
}

impl<'a> TargetName<'a> {
    /// Takes a name apart. A further link starts at `/@name` followed by `/` or the end, where
    /// `is_connector` knows the name; everything else belongs to the argument, so that paths may
    /// hold an `@`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: the name is empty, has white space around it or holds a control
    /// character.
    pub fn parse(text: &'a str, is_connector: impl Fn(&str) -> bool) -> Result<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_bad = || text.trim() != text || text.chars().any(char::is_control);
        if text.is_empty() || (!is_plain && is_bad()) {
            let message =
                format!("{text:?} is not a target: write @local, @connector/name or a host");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        let mut outer = Vec::new();
        let mut rest = text;
        while let Some(at) = next_link(rest, &is_connector) {
            outer.push(parse_link(&rest[..at]));
            rest = &rest[at + 1..];
        }
        Ok(Self { outer, last: parse_link(rest) })
    }

    /// The links, outermost first.
    pub fn links(&self) -> impl DoubleEndedIterator<Item = NameLink<'a>> {
        self.outer.iter().copied().chain([self.last])
    }

    /// The links before the last one, outermost first.
    #[must_use]
    pub fn outer(&self) -> &[NameLink<'a>] {
        &self.outer
    }

    /// The last link: the target's own.
    #[must_use]
    pub fn last(&self) -> NameLink<'a> {
        self.last
    }
}

/// Returns the positions of slashes after which a further link may begin. Large inventories need
/// this of every host, several times, and `str::match_indices` takes longer to set up than to look
/// at a name byte by byte.
fn possible_links(text: &str) -> impl Iterator<Item = usize> {
    let pairs = text.as_bytes().windows(2).enumerate();
    pairs.filter(|(_, pair)| *pair == b"/@").map(|(at, _)| at)
}

/// A target's name without its further links, be they of connectors that exist or not.
#[must_use]
pub fn before_links(name: &str) -> &str {
    possible_links(name).next().map_or(name, |at| &name[..at])
}

/// Returns the position of the slash before the next link.
fn next_link(text: &str, is_connector: &impl Fn(&str) -> bool) -> Option<usize> {
    possible_links(text).find(|at| {
        let rest = &text[at + 2..];
        is_connector(rest.split('/').next().unwrap_or(rest))
    })
}

/// For connectors whose arguments hold no `/@`: refuses an argument with a further link whose
/// connector is not known. One that is known would have ended the argument. `shown` is the argument
/// for messages.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: there is such a link.
pub fn refuse_unknown_link(argument: &str, shown: impl FnOnce() -> String) -> Result<()> {
    let Some(at) = possible_links(argument).next() else { return Ok(()) };
    let link = &argument[at + 2..];
    let connector = link.split('/').next().unwrap_or(link);
    let message = format!("{}: there is no connector {connector:?}", shown());
    Err(Error::new(ErrorKind::Inventory, message))
}

fn parse_link(text: &str) -> NameLink<'_> {
    let Some(named) = text.strip_prefix('@') else {
        return NameLink { connector: DEFAULT_CONNECTOR, argument: Some(text) };
    };
    match named.split_once('/') {
        Some((connector, argument)) => NameLink { connector, argument: Some(argument) },
        None => NameLink { connector: named, argument: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(&str, Option<&str>)> {
        let known = ["ssh", "docker", "chroot", "local"];
        let name = TargetName::parse(text, |name| known.contains(&name)).unwrap();
        name.links().map(|link| (link.connector, link.argument)).collect()
    }

    #[test]
    fn names_and_chains_are_taken_apart() {
        for (text, links) in [
            ("@local", vec![("local", None)]),
            ("web1.example.com", vec![("ssh", Some("web1.example.com"))]),
            ("@docker/a/b:1", vec![("docker", Some("a/b:1"))]),
            ("@ssh/h/@docker/c", vec![("ssh", Some("h")), ("docker", Some("c"))]),
            ("h/@chroot//srv/r", vec![("ssh", Some("h")), ("chroot", Some("/srv/r"))]),
            ("@chroot//mnt/@rootfs", vec![("chroot", Some("/mnt/@rootfs"))]),
            ("@chroot//mnt/@rootfs/x", vec![("chroot", Some("/mnt/@rootfs/x"))]),
            ("@chroot//a/@local", vec![("chroot", Some("/a")), ("local", None)]),
        ] {
            assert_eq!(parse(text), links, "{text}");
        }
    }

    #[test]
    fn a_link_of_an_unknown_connector_is_refused() {
        for argument in ["h/@dokcer/c", "h/@dokcer"] {
            let error = refuse_unknown_link(argument, || "shown".to_owned()).unwrap_err();
            assert_eq!(error.to_string(), "shown: there is no connector \"dokcer\"");
        }
        for argument in ["", "h", "user@h/c"] {
            assert!(refuse_unknown_link(argument, || "shown".to_owned()).is_ok());
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", " @local", "a\nb"] {
            assert!(TargetName::parse(text, |_| false).is_err(), "{text:?}");
        }
    }
}
