//! Lists of targets, limits, and names of targets with chains.

use std::path::Path;

use hostlink_core::{NameLink, TargetName};
use hostlink_inventory::{MOST_NAMES, Pattern, Word, words};

use crate::{Outcome, Verdict, one_line};

/// The connectors that a name may go through.
const CONNECTORS: [&str; 5] = ["ssh", "docker", "chroot", "local", "dockerssh"];

/// Longer lists are not read again; only their length is checked.
const READ_AGAIN: usize = 10_000;

/// A list that is read and joined by commas is the same list. Its names are read and joined to the
/// same names. The text as a limit is read or refused.
pub(crate) fn property(text: &str) -> Outcome {
    if let Err(error) = Pattern::parse(text) {
        one_line::rejected(&error)?;
    }
    let read = match words(text) {
        Ok(words) => words,
        Err(error) => return one_line::rejected(&error),
    };
    if read.len() > MOST_NAMES.max(text.len()) {
        return Err(format!("{text:?} gives {} names", read.len()));
    }
    for word in read.iter().take(READ_AGAIN) {
        if let Word::Name(name) = word {
            chain(name)?;
        }
    }
    if read.len() > READ_AGAIN {
        return Ok(Verdict::Accepted);
    }
    let shown: Vec<&str> = read.iter().map(shown).collect::<Option<_>>().unwrap_or_default();
    let joined = shown.join(",");
    match words(&joined) {
        Ok(again) if again == read => Ok(Verdict::Accepted),
        other => Err(format!("{text:?} is {read:?}, and joined by commas {other:?}")),
    }
}

fn shown(word: &Word) -> Option<&str> {
    match word {
        Word::Name(name) => Some(name),
        Word::Path(path) => Path::to_str(path),
    }
}

/// The links of a name, joined, are that name.
fn chain(name: &str) -> Result<(), String> {
    let parsed = match parse(name) {
        Ok(parsed) => parsed,
        Err(error) => return one_line::rejected(&error).map(drop),
    };
    let written: Vec<String> = parsed.links().map(link).collect();
    match parse(&written.join("/")) {
        Ok(again) if again == parsed => Ok(()),
        other => Err(format!("{name:?} is {parsed:?}, and written again {other:?}")),
    }
}

fn parse(text: &str) -> hostlink_core::Result<TargetName<'_>> {
    TargetName::parse(text, |part| CONNECTORS.contains(&part))
}

fn link(NameLink { connector, argument }: NameLink<'_>) -> String {
    match argument {
        Some(argument) => format!("@{connector}/{argument}"),
        None => format!("@{connector}"),
    }
}
