//! The exit status of a command.

use std::fmt;

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited with this code, 0 to 255. If a signal ended the child of a shell, this is the
    /// shell's 128+n.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// A signal ended it, and the transport does not report which.
    UnknownSignal,
}

impl ExitStatus {
    /// Returns the exit code, unless a signal ended the command.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) | Self::UnknownSignal => None,
        }
    }

    /// Returns the signal that ended the command, if there was one and it is known.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) | Self::UnknownSignal => None,
            Self::Signal(signal) => Some(signal),
        }
    }

    /// Returns the code that a shell would return: 128+n for signal n. For an unknown signal it is
    /// 255, like ssh(1).
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
