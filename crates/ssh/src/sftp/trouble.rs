//! Errors in a session.

use std::fmt;
use std::path::Path;

use hostlink_core::transfer::{STALL, failure};
use hostlink_core::{Error, ErrorKind};
use openssh_sftp_client::Error as Cause;
use openssh_sftp_client::error::SftpErrorKind;

use super::session::Session;

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server refused it, with this message.
    Refused(SftpErrorKind, String),
    /// The server is gone, or its answer is not valid.
    Lost(String),
    /// As [`Lost`](Self::Lost), with a reason that the session knows.
    Over,
    /// Nothing has moved for too long.
    Stalled,
}

impl Trouble {
    /// Returns whether the server has answered, and the session continues.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(..))
    }

    /// Returns whether the file, or its directory, does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(SftpErrorKind::NoSuchFile, _))
    }

    /// Returns the error of a transfer from or to `path`.
    pub(super) fn of(&self, path: &str) -> Error {
        let kind = match self {
            Self::Refused(kind, said) => {
                let kind = match kind {
                    SftpErrorKind::NoSuchFile => ErrorKind::NotFound,
                    SftpErrorKind::PermDenied => ErrorKind::PermissionDenied,
                    _ => ErrorKind::Transfer,
                };
                return failure("", path, said.as_bytes()).with_kind(kind);
            }
            Self::Lost(_) | Self::Over => ErrorKind::LinkLost,
            Self::Stalled => ErrorKind::Timeout,
        };
        Error::new(kind, format!("{path} was not transferred: {self}"))
    }
}

/// OpenSSH's message for all that the protocol has no code for.
const NO_REASON: &str = "Failure";

/// Less free space than this is none: more may have been refused.
const NO_SPACE: u64 = 1 << 20;

/// `SSH_FXE_STATVFS_ST_RDONLY`, of OpenSSH's extension `statvfs@openssh.com` (PROTOCOL, 3.4).
const READ_ONLY: u64 = 1;

/// Returns the error of a put to `path`, with the cause if the server gave none and the file system
/// is full.
pub(super) async fn explained(
    session: &Session,
    destination: &Path,
    path: &str,
    error: Error,
) -> Error {
    let directory = destination.parent().filter(|directory| !directory.as_os_str().is_empty());
    if error.stderr_tail() != Some(NO_REASON) {
        return error;
    }
    let mut fs = session.fs();
    let asked = session.answer(fs.statvfs(directory.unwrap_or(Path::new(".")))).await;
    // A file system without blocks, or that is only read, is never full.
    let is_full = asked.is_ok_and(|found| {
        let free = found.bavail.saturating_mul(found.frsize);
        free < NO_SPACE && found.blocks > 0 && found.flag & READ_ONLY == 0
    });
    match is_full {
        true => failure("", path, b"No space left on device"),
        false => error.with_cause("the SFTP server gives no reason"),
    }
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::SftpError(kind, said) => Self::Refused(kind, said.get().0.to_owned()),
            Cause::BackgroundTaskFailure(_) => Self::Over,
            cause => Self::Lost(reason(&cause)),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_, said) => f.write_str(said),
            Self::Lost(why) => write!(f, "the SFTP server is gone ({why})"),
            Self::Over => f.write_str("the SFTP server is gone"),
            Self::Stalled => write!(f, "nothing moved for {} s", STALL.as_secs()),
        }
    }
}

/// Returns the first cause of a session's end in a few words.
pub(super) fn reason(cause: &Cause) -> String {
    match cause {
        Cause::IOError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it ended".to_owned()
        }
        Cause::IOError(error) => error.to_string(),
        Cause::RecursiveErrors(both) => reason(&both.original_error),
        cause => cause.to_string(),
    }
}
