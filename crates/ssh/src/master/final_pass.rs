//! Finds out whether ssh will read a configuration twice.
//!
//! It does so if a `Match` anywhere names `final` (ssh_config(5)). Our defaults must wait for that
//! pass, too, or they would come first. We do not ask for it ourselves, since it makes `Host` lines
//! match the `HostName`.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};
use hostlink_core::read_whole;

/// The depth of includes that ssh allows.
const DEPTH: usize = 16;

/// How much is read in all: 16 MiB. Files that include one another may be read many times.
const MOST: u64 = 16 << 20;

/// Returns whether the file, or one that it includes, asks for the final pass. Relative includes
/// are in `.ssh` in `home`.
///
/// An include is not followed if it has a token or a variable. Our defaults then come before a
/// `Match final` in it. The same holds for what is no regular file, which may have no end, or may
/// be read only once.
pub(super) fn is_asked_for(file: &Path, home: Option<&Path>) -> bool {
    let mut left = MOST;
    asks(file, home, DEPTH, &mut left)
}

fn asks(file: &Path, home: Option<&Path>, depth: usize, left: &mut u64) -> bool {
    // ssh reports a file that cannot be read.
    let Ok(text) = read_whole(file, *left) else { return false };
    *left -= text.len() as u64;
    String::from_utf8_lossy(&text).lines().any(|line| {
        let (keyword, words) = directive(line);
        match &*keyword.to_ascii_lowercase() {
            "match" => names_final(&words),
            "include" if depth > 0 => words
                .iter()
                .flat_map(|pattern| included(pattern, home))
                .any(|file| asks(&file, home, depth - 1, left)),
            _ => false,
        }
    })
}

/// Splits a line into keyword and words; a `=` may follow the keyword.
fn directive(line: &str) -> (&str, Vec<String>) {
    let line = line.trim_start();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (keyword, words(rest.strip_prefix('=').unwrap_or(rest)))
}

/// Splits a line at blanks, up to a comment. Quotes may contain blanks.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match character {
            '"' | '\'' if quote.is_none() => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            _ if quote == Some(character) => quote = None,
            '#' if word.is_none() => break,
            _ if quote.is_none() && character.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// Returns whether `final` is a criterion, and not the argument of one.
fn names_final(words: &[String]) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match &*word.trim_start_matches('!').to_ascii_lowercase() {
            "final" => return true,
            "all" | "canonical" => {}
            criterion if criterion.contains('=') => {}
            _ => {
                words.next();
            }
        }
    }
    false
}

/// Returns the files that match a pattern of glob(7).
fn included(pattern: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let path = match (pattern.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        // An absolute pattern stays as it is.
        (None, Some(home)) => home.join(".ssh").join(pattern),
        (_, None) => PathBuf::from(pattern),
    };
    let options = MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..MatchOptions::default()
    };
    let found = path.to_str().and_then(|pattern| glob_with(pattern, options).ok());
    found.into_iter().flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn is_asked_for_in(text: &str) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        is_asked_for(file.path(), None)
    }

    #[test]
    fn a_criterion_asks_for_it() {
        for (text, asked) in [
            ("Match final all", true),
            ("Host x\n  match host web !FINAL\n", true),
            ("Match=final all", true),
            ("Match \"final\" all", true),
            ("Match exec \"test a b\" final", true),
            ("Match host=a final", true),
            ("Match user final", false),
            ("Match exec \"echo final\"", false),
            ("Match all # final", false),
            ("# Match final", false),
            ("Host final\nUser final", false),
        ] {
            assert_eq!(is_asked_for_in(text), asked, "{text}");
        }
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        assert!(!is_asked_for(Path::new("/dev/zero"), None));
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        fs::create_dir(&ssh).unwrap();
        let config = ssh.join("config");
        // Each one reads itself twice, 16 times deep.
        let long = format!("#{}\n", "x".repeat(1 << 20));
        fs::write(&config, format!("{long}Include config\nInclude config\n")).unwrap();
        assert!(!is_asked_for(&config, Some(home.path())));
        fs::write(&config, format!("{long}Match final all\n")).unwrap();
        assert!(is_asked_for(&config, Some(home.path())), "the control");
    }

    #[test]
    fn files_that_are_included_ask_for_it() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        fs::create_dir_all(ssh.join("config.d")).unwrap();
        fs::write(ssh.join("config.d/a.conf"), "Match final all\n").unwrap();
        fs::write(ssh.join("again"), "Include again\n").unwrap();
        let absolute = ssh.join("config.d/a.conf").display().to_string();
        for (include, asked) in [
            ("config.d/*.conf", true),
            ("config.d/?.conf", true),
            ("con*.d/a.conf", true),
            ("nothing config.d/a.conf", true),
            ("~/.ssh/config.d/*", true),
            (&absolute, true),
            ("config.d/*.txt", false),
            ("again", false),
        ] {
            let config = ssh.join("config");
            fs::write(&config, format!("Host x\nInclude {include}\n")).unwrap();
            assert_eq!(is_asked_for(&config, Some(home.path())), asked, "{include}");
        }
    }
}
