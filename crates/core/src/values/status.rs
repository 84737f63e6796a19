//! How a command ended.

use std::fmt;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited with this code, 0 to 255. A shell that waited for a signalled child gives 128+n,
    /// which stays a code.
    Code(i32),
    /// It was ended by this signal, where the transport can tell.
    Signal(i32),
    /// It was ended by a signal, and the transport does not tell by which.
    UnknownSignal,
}

impl ExitStatus {
    /// The exit code, unless a signal ended it.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) | Self::UnknownSignal => None,
        }
    }

    /// The signal that ended it, if one did and it is known.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) | Self::UnknownSignal => None,
            Self::Signal(signal) => Some(signal),
        }
    }

    /// The code that a shell would give: 128+n for signal n. For an unknown one it is 255, as
    /// ssh(1) gives.
    #[must_use]
    pub fn as_shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
            Self::UnknownSignal => 255,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::UnknownSignal => f.write_str("a signal"),
        }
    }
}
