//! `@sshconfig/PATTERN`: the hosts that ssh's own configuration names.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use hostlink_core::{
    About, Connector, Context, DataField, Error, ErrorKind, Kind, Listing, NameData, Result,
};
use indexmap::IndexSet;
use wildmatch::WildMatch;

use crate::file;

/// The maximum depth of files that include one another, as in ssh (readconf.c).
const DEEPEST: usize = 16;

/// How much is read of the file and of all that it includes: 16 MiB. Files that include one another
/// may be read many times.
const MOST: u64 = 16 << 20;

const CONFIG_FILE: DataField =
    DataField::new("ssh_config_file", "path", "File to read instead of ~/.ssh/config.");

/// The hosts of `~/.ssh/config`, as far as they are named and not only matched by a pattern. Each
/// is reached over SSH by that name, so that everything that the file says of it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SshConfigConnector;

#[async_trait]
impl Connector for SshConfigConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "sshconfig",
            description: "Hosts that ~/.ssh/config names: @sshconfig, or @sshconfig/PATTERN for some of them.",
            fields: &[CONFIG_FILE],
            // The file is the user's own.
            kind: Kind::Lists { trusted: true, reads_only_files: true },
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        let refused = |message: String| Error::new(ErrorKind::Inventory, message);
        let given = context.settings.get(CONFIG_FILE.key).map(|value| match value {
            hostlink_core::Value::String(path) => Ok(PathBuf::from(path)),
            _ => Err(refused(format!("{}: this is no path", CONFIG_FILE.key))),
        });
        let home = context.home.as_deref();
        let usual = || {
            home.map(|home| home.join(".ssh/config")).ok_or_else(|| {
                refused("there is no home directory to look for .ssh/config in".to_owned())
            })
        };
        let path = given.unwrap_or_else(usual)?;
        let mut names = IndexSet::new();
        let mut left = MOST;
        read(&path, home, &mut Vec::new(), &mut names, &mut left)?;
        let pattern = argument.filter(|pattern| !pattern.is_empty()).unwrap_or("*");
        let glob = WildMatch::new(pattern);
        let chosen: Vec<NameData> =
            names.iter().filter(|name| glob.matches(name)).map(NameData::new).collect();
        if chosen.is_empty() {
            let path = path.display();
            return Err(refused(format!("{path} names no host that matches {pattern}")));
        }
        Ok(chosen.into())
    }
}

/// For which hosts lines hold: those of a `Host` block.
#[derive(Clone, Debug)]
struct Block(Vec<String>);

impl Block {
    fn of_all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// As ssh has it: one pattern that matches, and none with `!` that does.
    fn holds_for(&self, name: &str) -> bool {
        let matches = |pattern: &str| WildMatch::new(pattern).matches(name);
        let (mut without, mut with) = (
            self.0.iter().filter_map(|pattern| pattern.strip_prefix('!')),
            self.0.iter().filter(|pattern| !pattern.starts_with('!')),
        );
        with.any(|pattern| matches(pattern)) && !without.any(matches)
    }
}

/// Adds the names of a file and of those that it includes, as far as `around` holds for them: the
/// blocks in which they are included. `left` is how many bytes may still be read.
fn read(
    path: &Path,
    home: Option<&Path>,
    around: &mut Vec<Block>,
    names: &mut IndexSet<String>,
    left: &mut u64,
) -> Result<()> {
    let refused = |problem: &str, number: Option<usize>| {
        let line = number.map(|index| format!(":{}", index + 1)).unwrap_or_default();
        Error::new(ErrorKind::Inventory, format!("{}{line}: {problem}", path.display()))
    };
    if around.len() > DEEPEST {
        return Err(refused("files include one another too deeply", None));
    }
    let mut block = Block::of_all();
    // ssh takes any bytes, in comments and elsewhere.
    let text = file::bytes_within(path, MOST)?;
    *left = left
        .checked_sub(text.len() as u64)
        .ok_or_else(|| refused("with what it includes it is longer than 16 MiB", None))?;
    for (number, line) in String::from_utf8_lossy(&text).lines().enumerate() {
        let line = line.trim();
        let (keyword, rest) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
        let keyword = keyword.to_ascii_lowercase();
        if !["host", "match", "include"].contains(&keyword.as_str()) {
            continue;
        }
        let words = split(rest.trim_start_matches(['=', ' ', '\t']))
            .ok_or_else(|| refused("a quote is not closed", Some(number)))?;
        match keyword.as_str() {
            "host" => {
                let named = words.iter().filter(|word| is_name(word));
                names.extend(
                    named.filter(|name| around.iter().all(|block| block.holds_for(name))).cloned(),
                );
                block = Block(words);
            }
            // What else it asks is known when there is a connection.
            "match" if words == ["all"] => block = Block::of_all(),
            "match" => block = Block(Vec::new()),
            _ => {
                around.push(block.clone());
                for word in words {
                    for file in included(&word, home) {
                        read(&file, home, around, names, left)?;
                    }
                }
                around.pop();
            }
        }
    }
    Ok(())
}

/// Returns whether a word after `Host` is the name of one host: no pattern, nothing that ssh
/// refuses as a name, and nothing that is more than a name in a list of targets. The last of the
/// characters stands for what is no text.
fn is_name(word: &str) -> bool {
    let is_other = |c: char| {
        c.is_whitespace() || c.is_control() || "*?!'`\"$\\;&<>|(){}[]@/,\u{fffd}".contains(c)
    };
    !word.is_empty()
        && !word.starts_with('-')
        && !word.contains(is_other)
        && (!word.contains(':') || word.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Words as ssh splits them (`argv_split`), up to a comment; `None` where a quote is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quote) {
            (' ' | '\t', None) => words.extend(word.take()),
            ('#', None) if word.is_none() => break,
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                quote = Some(character);
            }
            (end, Some(begin)) if end == begin => quote = None,
            ('\\', _) => {
                let escaped = characters
                    .next_if(|c| ['"', '\'', '\\'].contains(c) || *c == ' ' && quote.is_none());
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The files of a word after `Include`, which are relative to `~/.ssh` and may be a pattern
/// (ssh_config(5)). One that is not there is nothing to ssh either.
fn included(word: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let path = match (word.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        (None, Some(home)) => home.join(".ssh").join(word),
        (None, None) if word.starts_with('/') => PathBuf::from(word),
        (_, None) => return Vec::new(),
    };
    let Some(path) = path.to_str() else { return Vec::new() };
    let mut pattern = path.to_owned();
    // Two of them are a way through directories to the crate, and to ssh as one.
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::default()
    };
    let Ok(found) = glob::glob_with(&pattern, options) else { return Vec::new() };
    found.filter_map(std::result::Result::ok).filter(|file| file.is_file()).collect()
}
