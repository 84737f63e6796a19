//! TARGETS: a list of names and files with commas.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostlink_core::{Error, ErrorKind, Registry, Result, TargetName};

use crate::definition::Definition;
use crate::format::Format;
use crate::place::one_line;
use crate::range::Ranges;
use crate::tree::pattern_fault;

/// One word of a list of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A target's name, without ranges.
    Name(String),
    /// An inventory: a file, a directory, a program.
    Path(PathBuf),
}

/// Takes a list of targets apart: commas separate, except in brackets; ranges become names.
///
/// What begins like a path (`.`, `/`, `~`) is one. Else what begins with `@`, is a URL
/// (`ssh://web1`), has an `@` before any slash, or a further link of a chain (`/@`), is a name. Of
/// the rest, what has a slash or the ending of an inventory file ([`Format::of`]) is a path.
/// Everything else is a host: a bare word never changes its meaning because there is a file of that
/// name. A name with a slash that is no chain of connectors which there are is a path to
/// [`Builder::targets`](crate::Builder::targets) if it is there as one.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: there is nothing between two commas, a range is not valid, or it gives
/// the name of a path.
pub fn words(list: &str) -> Result<Vec<Word>> {
    let (mut words, mut ranges) = (Vec::new(), Ranges::default());
    for word in without_last_comma(split(list)) {
        let word = word.trim();
        if word.is_empty() {
            let message = match list.trim_matches([',', ' ']) {
                "" => "TARGETS is empty: write @local, or several names with commas".to_owned(),
                _ => format!("TARGETS {list:?} has an empty name between its commas"),
            };
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        if let Some(fault) = pattern_fault(word).filter(|_| !is_path(word)) {
            return Err(Error::new(ErrorKind::Inventory, format!("TARGETS: {fault}")));
        }
        if is_path(word) {
            words.push(Word::Path(word.into()));
        } else {
            let names = ranges.expand(word, 0)?;
            if let Some(path) = names.iter().find(|name| is_path(name)) {
                let message = format!("{word} stands for {path}, which is a file: write it out");
                return Err(Error::new(ErrorKind::Inventory, one_line(message)));
            }
            words.extend(names.into_iter().map(Word::Name));
        }
    }
    Ok(words)
}

/// The source of hosts.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Names(Vec<String>),
    Path(PathBuf),
    Definition(Definition, Arc<str>),
}

impl Source {
    /// Splits names into paths and targets. Only the list of connectors shows which names are
    /// paths.
    pub(crate) fn with_paths(self, registry: &Registry) -> Vec<Self> {
        let names = match self {
            Self::Names(names) if names.iter().any(|name| is_path_there(name, registry)) => names,
            other => return vec![other],
        };
        let mut sources = Vec::new();
        for name in names {
            match (is_path_there(&name, registry), sources.last_mut()) {
                (true, _) => sources.push(Self::Path(name.into())),
                (false, Some(Self::Names(names))) => names.push(name),
                (false, _) => sources.push(Self::Names(vec![name])),
            }
        }
        sources
    }
}

/// Returns whether a name is that of a file or directory that is there, and of no chain of
/// connectors that there are: `srv/@data/inv.yaml`, `my@dir/inv.yaml`.
fn is_path_there(name: &str, registry: &Registry) -> bool {
    // Most names cost nothing here.
    if !name.contains('/') || name.starts_with('@') || name.contains("://") {
        return false;
    }
    let parsed = TargetName::parse(name, |connector| registry.knows(connector));
    parsed.is_ok_and(|parsed| parsed.outer().is_empty()) && Path::new(name).exists()
}

/// The parts without an empty one after the last comma, as in `web1,`.
pub(crate) fn without_last_comma<'a>(
    parts: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let mut parts: Vec<&str> = parts.collect();
    let has_others = parts.iter().rev().skip(1).any(|part| !part.trim().is_empty());
    if has_others && parts.last().is_some_and(|last| last.trim().is_empty()) {
        parts.pop();
    }
    parts.into_iter()
}

/// The parts between commas that are not in brackets.
pub(crate) fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    list.split(move |character| {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
}

fn is_path(word: &str) -> bool {
    let begins_like_a_path = word.starts_with(['.', '/', '~']);
    // `ssh://web1:22`, and `user@host`.
    let host = word.split('/').next().unwrap_or(word);
    if !begins_like_a_path && (word.contains("://") || host.contains('@')) {
        return false;
    }
    if word.starts_with('@') || (word.contains("/@") && !begins_like_a_path) {
        return false;
    }
    word.contains('/') || Format::of(Path::new(word)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_or_paths() {
        // A path begins with `>`.
        for (list, wanted) in [
            ("web1", "web1"),
            ("web1,web2", "web1 web2"),
            ("web1,", "web1"),
            ("web1, ", "web1"),
            (" web1 , web2 ", "web1 web2"),
            ("web1,@docker/db,@local", "web1 @docker/db @local"),
            ("@local", "@local"),
            ("@ssh/connectors", "@ssh/connectors"),
            ("web[01-03]", "web01 web02 web03"),
            ("db[a,c]", "dba dbc"),
            ("db[a-b],x", "dba dbb x"),
            ("[::1]", "[::1]"),
            ("root@[fe80::1]:2222", "root@[fe80::1]:2222"),
            ("deploy@web1:22", "deploy@web1:22"),
            ("ssh://deploy@web1:22", "ssh://deploy@web1:22"),
            ("ssh://web1", "ssh://web1"),
            ("root@-oProxyCommand=/x", "root@-oProxyCommand=/x"),
            ("./a@b/inv", ">./a@b/inv"),
            ("@ssh/deploy@web[1-2]", "@ssh/deploy@web1 @ssh/deploy@web2"),
            ("@docker/debian:12", "@docker/debian:12"),
            ("@docker/registry.example/a/b:1", "@docker/registry.example/a/b:1"),
            ("@chroot//mnt/rootfs", "@chroot//mnt/rootfs"),
            ("@chroot//mnt/@rootfs", "@chroot//mnt/@rootfs"),
            ("@chroot//srv/x.json", "@chroot//srv/x.json"),
            ("h/@chroot//srv/r", "h/@chroot//srv/r"),
            ("h/@dokcer/c", "h/@dokcer/c"),
            ("@ssh/h/@docker/c", "@ssh/h/@docker/c"),
            ("@terraform", "@terraform"),
            ("@terraform/out.web", "@terraform/out.web"),
            ("@ansible/inv/hosts.ini", "@ansible/inv/hosts.ini"),
            ("@sshconfig/web*", "@sshconfig/web*"),
            ("hosts.toml", ">hosts.toml"),
            ("hosts.yaml", ">hosts.yaml"),
            ("hosts.yml", ">hosts.yml"),
            ("hosts.json", ">hosts.json"),
            ("hosts.ini", ">hosts.ini"),
            ("hosts", "hosts"),
            ("./hosts", ">./hosts"),
            ("inv/", ">inv/"),
            ("inv", "inv"),
            ("./inv.sh", ">./inv.sh"),
            ("inv.sh", "inv.sh"),
            ("/etc/hosts.d", ">/etc/hosts.d"),
            ("../inv/prod.yaml", ">../inv/prod.yaml"),
            ("./a/@local/x.yaml", ">./a/@local/x.yaml"),
            ("/srv/@data/inv", ">/srv/@data/inv"),
            ("a/b", ">a/b"),
            ("web1.json.example.com", "web1.json.example.com"),
            ("inv.yaml,web9", ">inv.yaml web9"),
            ("inv[1-2].yaml", ">inv[1-2].yaml"),
        ] {
            let shown = |word: &Word| match word {
                Word::Name(name) => name.clone(),
                Word::Path(path) => format!(">{}", path.display()),
            };
            let words = words(list).unwrap_or_else(|error| panic!("{list}: {error}"));
            let shown: Vec<String> = words.iter().map(shown).collect();
            assert_eq!(shown.join(" "), wanted, "{list}");
        }
    }

    #[test]
    fn a_range_never_stands_for_a_path() {
        let error = words("x.yam[k-l]").unwrap_err().to_string();
        assert_eq!(error, "x.yam[k-l] stands for x.yaml, which is a file: write it out");
    }

    #[test]
    fn ranges_of_a_list_stand_for_so_many_names_together() {
        let error = words("a[1-600000],b[1-600000]").unwrap_err().to_string();
        assert!(error.starts_with("b[1-600000]: 1200000 names are more than"), "{error}");
    }

    #[test]
    fn what_chooses_among_hosts_is_no_name() {
        for list in ["web[1-3],!web2", "web*", "a,&b", "w?", "h*/@chroot//srv"] {
            let error = words(list).unwrap_err().to_string();
            assert!(error.contains("--limit and --exclude take"), "{list}: {error}");
        }
    }

    #[test]
    fn empty_words_are_refused() {
        for list in ["", ",", " ", "a,,b", "a,,", ",,"] {
            assert!(words(list).unwrap_err().to_string().starts_with("TARGETS "), "{list:?}");
        }
    }
}
