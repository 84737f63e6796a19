//! The part of a tool's messages that a user has to read.

/// Messages that only follow from an earlier one, of tar and of Podman.
const CONSEQUENCES: [&str; 3] = [
    "Exiting with failure status due to previous errors",
    "Error is not recoverable: exiting now",
    "Error: read unixpacket @->",
];

/// Returns the last line of `said` that is not just a consequence of an earlier one.
pub(crate) fn last_words(said: &str) -> Option<&str> {
    let is_consequence = |line: &&str| CONSEQUENCES.iter().any(|text| line.contains(text));
    let last = said.lines().rev().find(|line| !is_consequence(line));
    last.or_else(|| said.lines().last()).map(|line| without_position(line.trim_end()))
}

/// Removes the position in our script that `sh` writes before its message: `sh: 12: ` of dash, `sh:
/// line 12: ` of bash, `sh: exec: line 12: ` of busybox.
pub(crate) fn without_position(line: &str) -> &str {
    let Some((shell, mut rest)) = line.split_once(": ") else { return line };
    if shell != "sh" && !(shell.starts_with('/') && shell.ends_with("/sh")) {
        return line;
    }
    while let Some((part, after)) = rest.split_once(": ") {
        let number = part.strip_prefix("line ").unwrap_or(part);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number && !["-c", "cd", "eval", "exec"].contains(&part) {
            break;
        }
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consequence_is_not_the_cause() {
        let tar = "tar: a: Cannot open: File exists\ntar: Exiting with failure status due to previous errors";
        assert_eq!(last_words(tar), Some("tar: a: Cannot open: File exists"));
        let podman = "Error: no such directory\nError: read unixpacket @->/proc/self/fd/16/attach: read: reset\n";
        assert_eq!(last_words(podman), Some("Error: no such directory"));
        let alone = "tar: Error is not recoverable: exiting now";
        assert_eq!(last_words(alone), Some(alone));
        assert_eq!(last_words(""), None);
    }

    #[test]
    fn a_position_in_our_script_is_left_out() {
        for (line, shown) in [
            ("sh: 12: exec: sudo: not found", "sudo: not found"),
            ("sh: line 12: sudo: command not found", "sudo: command not found"),
            ("sh: exec: line 12: sudo: not found", "sudo: not found"),
            ("sh: cd: line 4: can't cd to /x", "can't cd to /x"),
            ("/bin/sh: -c: line 6: syntax error", "syntax error"),
            ("ssh: connect to host h port 22: no", "ssh: connect to host h port 22: no"),
            ("bash: line 1: x: command not found", "bash: line 1: x: command not found"),
            ("sh", "sh"),
        ] {
            assert_eq!(without_position(line), shown);
        }
    }
}
