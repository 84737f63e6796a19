//! Target names: `@local`, `@docker/web1`, `web1.example.com`, and chains of them.

use crate::error::{Error, ErrorKind, Result};

/// The connector of a name without an `@`.
const DEFAULT_CONNECTOR: &str = "ssh";

/// One link of a chain: a connector's name and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameLink {
    /// The connector's name, without the `@`.
    pub connector: String,
    /// What stands behind the slash, if there is one.
    pub argument: Option<String>,
}

/// A target's name, taken apart: the links of a chain, outermost first. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetName {
    links: Vec<NameLink>,
}

impl TargetName {
    /// Takes a name apart. A further link starts at `/@name` followed by `/` or the end, where `is_connector`
    /// knows the name; everything else belongs to the argument, so that paths may hold an `@`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: the name is empty, has white space around it or holds a control character.
    pub fn parse(text: &str, is_connector: impl Fn(&str) -> bool) -> Result<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_bad = || text.trim() != text || text.chars().any(char::is_control);
        if text.is_empty() || (!is_plain && is_bad()) {
            let message = format!("{text:?} is no target: write @local, @connector/name or a host");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        let mut links = Vec::new();
        let mut rest = text;
        while let Some(at) = next_link(rest, &is_connector) {
            links.push(parse_link(&rest[..at]));
            rest = &rest[at + 1..];
        }
        links.push(parse_link(rest));
        Ok(Self { links })
    }

    /// The links, outermost first.
    #[must_use]
    pub fn links(&self) -> &[NameLink] {
        &self.links
    }

    /// The last link: the target's own.
    pub(crate) fn last(&self) -> &NameLink {
        self.links.last().expect("a name has at least one link")
    }
}

/// Where slashes are behind which a further link may begin. Large inventories ask this of every host, and a search for two
/// characters takes longer to set up than most names are long.
fn possible_links(text: &str) -> impl Iterator<Item = usize> {
    let slashes = text.match_indices('/').map(|(at, _)| at);
    slashes.filter(|at| text[at + 1..].starts_with('@'))
}

/// A target's name without its further links, be they of connectors that exist or not.
#[must_use]
pub fn before_links(name: &str) -> &str {
    possible_links(name).next().map_or(name, |at| &name[..at])
}

/// Where the slash before the next link is.
fn next_link(text: &str, is_connector: &impl Fn(&str) -> bool) -> Option<usize> {
    possible_links(text).find(|at| {
        let rest = &text[at + 2..];
        is_connector(rest.split('/').next().unwrap_or(rest))
    })
}

/// For connectors whose arguments hold no `/@`: refuses an argument with a further link whose connector is not known. One
/// that is known would have ended the argument. `shown` is the argument as it may be told.
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

fn parse_link(text: &str) -> NameLink {
    let Some(named) = text.strip_prefix('@') else {
        return NameLink { connector: DEFAULT_CONNECTOR.into(), argument: Some(text.into()) };
    };
    match named.split_once('/') {
        Some((connector, argument)) => {
            NameLink { connector: connector.into(), argument: Some(argument.into()) }
        }
        None => NameLink { connector: named.into(), argument: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(String, Option<String>)> {
        let known = ["ssh", "docker", "chroot", "local"];
        let name = TargetName::parse(text, |name| known.contains(&name)).unwrap();
        name.links.into_iter().map(|link| (link.connector, link.argument)).collect()
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
            let wanted: Vec<_> =
                links.into_iter().map(|(c, a)| (c.to_owned(), a.map(str::to_owned))).collect();
            assert_eq!(parse(text), wanted, "{text}");
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
