//! FLAGS that would break the transport.

use std::ffi::{OsStr, OsString};

use hostlink::Result;

use crate::explain::usage;

/// Short options with a value; the rest of the same word is their value (rsync(1)).
const WITH_VALUE: &[u8] = b"fBTM@";

/// Refuses flags that would make rsync bypass the link.
pub(super) fn check(flags: &[OsString]) -> Result<()> {
    let mut before = OsStr::new("");
    for flag in flags {
        if let Some(reason) = fault(before, flag) {
            return Err(usage(format!("{}: {reason}", flag.display())));
        }
        before = flag;
    }
    Ok(())
}

/// Returns whether rsync leaves the quoting of names to the user.
pub(super) fn has_old_args(flags: &[OsString]) -> bool {
    flags.iter().any(|flag| flag == "--old-args")
}

fn fault(before: &OsStr, flag: &OsStr) -> Option<&'static str> {
    let flag = flag.as_encoded_bytes();
    let (name, value) = match flag.iter().position(|byte| *byte == b'=') {
        Some(at) => (&flag[..at], Some(&flag[at + 1..])),
        None => (flag, None),
    };
    let reads_input = |name: &[u8], value| reads_file(name) && value == Some(&b"-"[..]);
    match name {
        _ if reads_input(name, value) || reads_input(before.as_encoded_bytes(), Some(flag)) => {
            Some("rsync has no standard input here: name a file")
        }
        b"--" => Some("FLAGS are options only: write SRC and DEST before --"),
        b"--rsh" => Some("rsync uses hostlink's own link"),
        b"--daemon" | b"--server" | b"--sender" => Some("this option is not for an rsync client"),
        _ if has_rsh(flag) => Some("-e is rsync's --rsh, and rsync uses hostlink's own link"),
        _ => None,
    }
}

/// Returns whether the option's value is a file to read, or `-`.
fn reads_file(name: &[u8]) -> bool {
    name.ends_with(b"-from") || name == b"--read-batch"
}

/// Returns whether a word of short options contains an `e`.
fn has_rsh(flag: &[u8]) -> bool {
    let Some(letters) = flag.strip_prefix(b"-") else { return false };
    // A separate filter rule ("- *.o") is not an option.
    let options = letters
        .iter()
        .take_while(|letter| letter.is_ascii_alphanumeric() && !WITH_VALUE.contains(letter));
    options.into_iter().any(|letter| *letter == b'e')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_words(words: &[&str]) -> Result<()> {
        check(&words.iter().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn flags_that_lead_past_the_link_are_refused() {
        for bad in [
            &["-e"][..],
            &["-a", "-vze", "ssh"],
            &["-essh"],
            &["--rsh=ssh"],
            &["--rsh", "ssh"],
            &["--daemon"],
            &["--server"],
            &["--"],
            &["--files-from=-"],
            &["--exclude-from", "-"],
            &["--read-batch=-"],
        ] {
            check_words(bad).expect_err(&format!("{bad:?}"));
        }
        for good in [
            &["-a", "--delete", "-vvz", "--exclude=*.o"][..],
            &["-f", "- *.e", "-f- *.e", "-Me", "-Te"],
            &["--rsync-path=sudo rsync", "--blocking-io", "--files-from=list"],
            &["--exclude", "-"],
            &["--executability", "-E", "--one-file-system"],
        ] {
            check_words(good).unwrap();
        }
    }
}
