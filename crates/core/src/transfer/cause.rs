//! Messages of the target's tools, as users can read them.

use crate::contract::files::TEMPORARY_MARK;
use crate::values::cause::without_position;

/// Returns a message as a user can read it: without the position in our script, and with `path`
/// instead of a hidden name.
pub(super) fn shown(message: &str, path: &str) -> String {
    let shown = without_hidden_names(without_position(message), path);
    // GNU tar knows no reason for a short write.
    let hint = if shown.contains(": Wrote only ") { " (is the disk full?)" } else { "" };
    shown + hint
}

/// Writes `path` for the temporary file or directory beside it.
fn without_hidden_names(line: &str, path: &str) -> String {
    let instead = if line.contains(path) { "the new file" } else { path };
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let (mut shown, mut rest) = (String::new(), line);
    let is_random = |c: char| c.is_ascii_hexdigit() || c == '-';
    // A name that has the mark itself goes on with other characters.
    let ends = |after: &str| {
        let next = after.trim_start_matches(is_random).chars().next();
        !next.is_some_and(|c| c.is_alphanumeric() || "._".contains(c))
    };
    let marked = |rest: &str| {
        let mut marks = rest.match_indices(TEMPORARY_MARK);
        marks.find(|(at, mark)| ends(&rest[at + mark.len()..])).map(|(at, _)| at)
    };
    while let Some(at) = marked(rest) {
        let before = &rest[..at];
        let beside = before.rfind(&format!("{directory}/."));
        // The apostrophe of "can't" is after a letter.
        let is_quote = |at: usize, c: char| {
            "'\"`\u{2018}".contains(c) && before[..at].ends_with(char::is_whitespace)
        };
        let quote = before.char_indices().rev().find(|(at, c)| is_quote(*at, *c));
        let space = || before.char_indices().rev().find(|(_, c)| c.is_whitespace());
        let word = || quote.or_else(space).map(|(at, c)| at + c.len_utf8());
        let start = beside.or_else(word).unwrap_or(0);
        shown += &before[..start];
        shown += instead;
        let after = &rest[at + TEMPORARY_MARK.len()..];
        rest = after.trim_start_matches(is_random);
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_without_what_is_ours() {
        for (said, read) in [
            (
                "sh: 31: cannot create /srv/.fMARK0a1b: Permission denied",
                "cannot create /srv/f: Permission denied",
            ),
            ("sh: line 31: /srv/.fMARK0a1b: No", "/srv/f: No"),
            ("sh: 31: cannot create /srv/MARKfMARK0a1b: No", "cannot create /srv/f: No"),
            ("sh: can't create /srv/MARK0a1b: No", "can't create /srv/f: No"),
            (
                "mv: cannot move '/srv/.fMARK0a1b' to '/srv/f': Busy",
                "mv: cannot move 'the new file' to '/srv/f': Busy",
            ),
            (
                "cp: cannot create '/a b/.fMARK0a1b/sub/x': No",
                "cp: cannot create '/srv/f/sub/x': No",
            ),
            (
                "tar: b: Wrote only 512 of 10240 bytes",
                "tar: b: Wrote only 512 of 10240 bytes (is the disk full?)",
            ),
        ] {
            let said = said.replace("MARK", TEMPORARY_MARK);
            assert_eq!(shown(&said, "/srv/f"), read);
        }
    }
}
