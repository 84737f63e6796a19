//! What goes wrong in a session.

use std::fmt;

use hostlink_core::transfer::{STALL, failure};
use hostlink_core::{Error, ErrorKind};
use openssh_sftp_client_lowlevel::{Error as Cause, SftpErrorKind};

/// Why a request has no good answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server says no, in these words.
    Refused(SftpErrorKind, String),
    /// The server is gone, or what it says makes no sense.
    Lost(String),
    /// Nothing has moved for too long.
    Stalled,
}

impl Trouble {
    /// Whether the server has answered, and goes on to.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(..))
    }

    /// Whether the file, or its directory, is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(SftpErrorKind::NoSuchFile, _))
    }

    /// The error of a transfer from or to `path`.
    pub(super) fn of(&self, path: &str) -> Error {
        let (kind, message) = match self {
            Self::Refused(kind, said) => {
                let kind = match kind {
                    SftpErrorKind::NoSuchFile => ErrorKind::NotFound,
                    SftpErrorKind::PermDenied => ErrorKind::PermissionDenied,
                    _ => ErrorKind::Transfer,
                };
                return failure("", path, said.as_bytes()).with_kind(kind);
            }
            Self::Lost(_) => (ErrorKind::LinkLost, format!("{path} was not transferred: {self}")),
            Self::Stalled => (ErrorKind::Timeout, format!("{path} was not transferred: {self}")),
        };
        Error::new(kind, message)
    }
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::SftpError(kind, said) => Self::Refused(kind, said.get().0.to_owned()),
            cause => Self::Lost(cause.to_string()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_, said) => f.write_str(said),
            Self::Lost(why) => write!(f, "the SFTP server is gone ({why})"),
            Self::Stalled => write!(f, "nothing moved for {} s", STALL.as_secs()),
        }
    }
}
