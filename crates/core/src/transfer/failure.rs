//! What the transfer scripts found wrong, as errors.

use super::cause::shown;
use crate::values::error::{Error, ErrorKind};

/// The error for what was found wrong with `path` on the target.
///
/// `status` is the word that the transfer scripts have for it: `isdir`, `nodir` (its directory is
/// missing), `missing`, `special` (a device, pipe or socket), `loop` (of symlinks), `changed` (by
/// another process meanwhile), `short BYTES` (came, and not as many as were announced); with any
/// other, `stderr` shows the kind.
#[must_use]
pub fn failure(status: &str, path: &str, stderr: &[u8]) -> Error {
    let word = status.split(' ').next().unwrap_or(status);
    let (kind, message) = match word {
        "isdir" => (ErrorKind::IsADirectory, format!("{path} is a directory")),
        "notdir" => (ErrorKind::Transfer, format!("{path} is not a directory")),
        // Who may not look into a directory does not see what is there.
        "nodir" | "missing" if kind_of(stderr) == ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            format!("{path} is in a directory that may not be entered"),
        ),
        "missing" if has(stderr, "Too many") => return failure("loop", path, stderr),
        "nodir" => (ErrorKind::NotFound, format!("the directory of {path} is missing")),
        "missing" => (ErrorKind::NotFound, format!("{path} is not there")),
        "special" => (ErrorKind::Transfer, format!("{path} is not a regular file")),
        "loop" => (ErrorKind::Transfer, format!("{path} is a circle of symlinks")),
        "unsafe" => {
            let message = format!(
                "{path} can only be written in place, which is not safe with another user's rights in a \
                 directory that others may write"
            );
            (ErrorKind::PermissionDenied, message)
        }
        "changed" => (ErrorKind::Transfer, format!("{path} was changed by another user meanwhile")),
        "conflict" => (ErrorKind::Transfer, format!("{path} has something else in the way")),
        "otherfs" => {
            let message = format!("the temporary file is not on the file system of {path}");
            return Error::new(ErrorKind::Data, message);
        }
        "short" => {
            let came = status.split(' ').nth(1).unwrap_or("?");
            let message = format!("{path}: {came} bytes came, which is not what was announced");
            (ErrorKind::Transfer, message)
        }
        _ => (kind_of(stderr), format!("{path} could not be transferred")),
    };
    let error = Error::new(kind, message).with_stderr_tail(stderr);
    match first_cause(&String::from_utf8_lossy(stderr)) {
        Some(cause) => {
            error.with_cause(shown(cause, path).chars().take(MAX_CAUSE).collect::<String>())
        }
        None => error,
    }
}

/// The longest cause, in characters.
const MAX_CAUSE: usize = 1000;

/// The line of the tools' messages that says why the first of them failed. tar, for one, adds lines
/// on what it could not do because of that.
fn first_cause(messages: &str) -> Option<&str> {
    const CAUSES: [&str; 7] = [
        "No space left on device",
        "quota exceeded",
        "File name too long",
        "File too large",
        "Permission denied",
        "not permitted",
        "Read-only file system",
    ];
    let mut lines = messages.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next();
    lines.find(|line| CAUSES.iter().any(|cause| line.contains(cause))).or(first)
}

fn has(said: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(said).contains(words)
}

/// Returns the kind of error that a tool reports, in English.
fn kind_of(stderr: &[u8]) -> ErrorKind {
    let says = |words: &str| has(stderr, words);
    if says("Permission denied") || says("not permitted") || says("Read-only file system") {
        ErrorKind::PermissionDenied
    } else if says("No such file") || says("nonexistent") {
        ErrorKind::NotFound
    } else {
        ErrorKind::Transfer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_is_told() {
        for (said, cause) in [
            ("", None),
            ("cat: no\n", Some("cat: no")),
            ("\nfirst\nlast\n", Some("first")),
            (
                "tar: a: Wrote only 4096 of 10240 bytes\n\
                 tar: b: Cannot write: No space left on device\n\
                 tar: Exiting with failure status due to previous errors\n",
                Some("tar: b: Cannot write: No space left on device"),
            ),
        ] {
            assert_eq!(first_cause(said), cause);
        }
    }
}
