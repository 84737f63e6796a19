//! Errors: a kind to act on, and a message to read.

use std::error::Error as StdError;
use std::fmt;

use crate::values::cause::last_words;
use crate::values::fault::Fault;
use crate::values::output::CommandOutput;
use crate::values::secret::{Secret, masked};

/// A result with hostlink's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an [`Error`], by what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Host data, an argument or an option has a value that cannot be used. Nothing was started.
    Data,
    /// The list of targets cannot be read or contradicts itself.
    Inventory,
    /// No connector has this name.
    UnknownConnector,
    /// The target cannot be reached.
    Connect,
    /// The target refused the credentials.
    Auth,
    /// The target's identity is unknown or has changed.
    HostKey,
    /// The link broke while it was in use. What ran may still be running.
    LinkLost,
    /// A time limit was reached. [`Error::output`] has the output up to then.
    Timeout,
    /// A privilege tool, such as sudo, did not run the command.
    Privilege,
    /// The command ended with a status that is not among the successful ones.
    ExitStatus,
    /// A file did not arrive whole. The destination is as it was.
    Transfer,
    /// A file or directory is not there.
    NotFound,
    /// The target or this machine's system refused access.
    PermissionDenied,
    /// A directory is at the path of a file.
    IsADirectory,
    /// The target accepts no further command at the moment. Nothing was started.
    Busy,
    /// The connector or the target cannot do this.
    Unsupported,
}

impl ErrorKind {
    /// Returns the kind's name in `snake_case`, as `--json` prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Inventory => "inventory",
            Self::UnknownConnector => "unknown_connector",
            Self::Connect => "connect",
            Self::Auth => "auth",
            Self::HostKey => "host_key",
            Self::LinkLost => "link_lost",
            Self::Timeout => "timeout",
            Self::Privilege => "privilege",
            Self::ExitStatus => "exit_status",
            Self::Transfer => "transfer",
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::IsADirectory => "is_a_directory",
            Self::Busy => "busy",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reason why a privilege tool, such as sudo, did not run a command ([`Error::refusal`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The tool did not accept the password.
    WrongPassword,
    /// The tool asked for a password, and there was none to give.
    NoPassword,
    /// The tool runs only on a terminal.
    NoTerminal,
    /// The tool's configuration does not allow it, whatever the password.
    NotAllowed,
}

/// An error of hostlink: a kind to act on, and one line to read.
///
/// `Display` is one line and does not repeat [`source`](StdError::source). Its alternate form
/// (`{:#}`) leaves out the target.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    target: Option<String>,
    message: String,
    faults: Vec<Fault>,
    refusal: Option<Refusal>,
    remedy: &'static [&'static str],
    stderr_tail: Option<String>,
    cause: Option<String>,
    output: Option<CommandOutput>,
    kill_confirmed: Option<bool>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns an error of this kind. `message` is one line: what was tried, and what to do next.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            target: None,
            message: message.into(),
            faults: Vec::new(),
            refusal: None,
            remedy: &[],
            stderr_tail: None,
            cause: None,
            output: None,
            kill_confirmed: None,
            source: None,
        }))
    }

    /// The error for values that cannot be used ([`ErrorKind::Data`]), with all their faults.
    #[must_use]
    pub fn from_faults(faults: Vec<Fault>) -> Self {
        let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
        let mut error = Self::new(ErrorKind::Data, all.join("; "));
        error.0.faults = faults;
        error
    }

    /// Returns the error for a failed system call; its kind depends on the cause.
    pub fn from_io(message: impl Into<String>, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            std::io::ErrorKind::IsADirectory => ErrorKind::IsADirectory,
            _ => ErrorKind::Transfer,
        };
        Self::new(kind, message).with_source(source)
    }

    /// Puts a location (a file and a line) before the message.
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Names the target.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.0.target.get_or_insert(target.into());
        self
    }

    /// Replaces the kind, for a caller that knows better what the error means.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Sets the cause in the target's words, in one line. It is shown after the message, instead of
    /// the last line of standard error.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Says why a privilege tool did not run the command.
    #[must_use]
    pub fn with_refusal(mut self, refusal: Refusal) -> Self {
        self.0.refusal = Some(refusal);
        self
    }

    /// Names the keys of host data that the message advises to set or to check.
    #[must_use]
    pub fn with_remedy(mut self, keys: &'static [&'static str]) -> Self {
        self.0.remedy = keys;
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Attaches the last lines of the target's standard error, if there are any.
    #[must_use]
    pub fn with_stderr_tail(mut self, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        let start = text.char_indices().rev().nth(TAIL_CHARS).map_or(0, |(at, _)| at);
        if !text.is_empty() {
            self.0.stderr_tail = Some(text[start..].to_owned());
        }
        self
    }

    /// Masks secrets in the target's output: bash, for one, prints a line that it cannot parse.
    pub(crate) fn masking(mut self, secrets: &[Secret]) -> Self {
        self.0.stderr_tail = self.0.stderr_tail.map(|tail| masked(&tail, secrets));
        self.0.cause = self.0.cause.map(|cause| masked(&cause, secrets));
        self
    }

    /// Attaches the output that the command wrote before it was killed.
    #[must_use]
    pub fn with_output(mut self, output: CommandOutput) -> Self {
        self.0.output = Some(output);
        self
    }

    pub(crate) fn with_kill_confirmed(mut self, confirmed: bool) -> Self {
        self.0.kill_confirmed = Some(confirmed);
        self
    }

    /// Returns the kind: what the caller can do about the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the name of the target, if there is one.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// Returns the message without the target and its standard error.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The faults that [`from_faults`](Self::from_faults) made it of.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The faults; a message without faults is one of no key in particular.
    pub(crate) fn into_faults(self) -> Vec<Fault> {
        let Inner { message, faults, .. } = *self.0;
        if faults.is_empty() { vec![Fault::general(message)] } else { faults }
    }

    /// Returns the reason why a privilege tool did not run the command, if it is known.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.0.refusal
    }

    /// Returns the keys of host data that the message advises to set or to check. A program that
    /// has options for these keys can name them.
    #[must_use]
    pub fn remedy(&self) -> &[&'static str] {
        self.0.remedy
    }

    /// Returns the last lines of the target's standard error.
    #[must_use]
    pub fn stderr_tail(&self) -> Option<&str> {
        self.0.stderr_tail.as_deref()
    }

    /// Returns the output up to the error (`Timeout`, `ExitStatus`, `LinkLost`).
    #[must_use]
    pub fn output(&self) -> Option<&CommandOutput> {
        self.0.output.as_ref()
    }

    /// Returns whether the command is known to be killed; `None` if there was nothing to kill.
    #[must_use]
    pub fn kill_confirmed(&self) -> Option<bool> {
        self.0.kill_confirmed
    }
}

const TAIL_CHARS: usize = 2000;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = self.0.target.as_ref().filter(|_| !f.alternate()) {
            write!(f, "{target}: ")?;
        }
        f.write_str(&self.0.message)?;
        let last = || last_words(self.0.stderr_tail.as_deref()?);
        if let Some(said) = self.0.cause.as_deref().or_else(last) {
            write!(f, ": {}", said.trim_end())?;
        }
        if self.0.kill_confirmed == Some(false) {
            f.write_str(" (no proof that it was killed)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("target", &self.0.target)
            .field("message", &self.0.message)
            .field("refusal", &self.0.refusal)
            .field("stderr_tail", &self.0.stderr_tail)
            .field("kill_confirmed", &self.0.kill_confirmed)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl CommandOutput {
    /// Turns an unsuccessful status into an error, with the last lines of standard error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ExitStatus`], with the output in [`Error::output`].
    pub fn check(self) -> Result<Self> {
        if self.success() {
            return Ok(self);
        }
        let message = match self.status() {
            Some(status) => format!("the command ended with {status}"),
            None => "the command did not end by itself".to_owned(),
        };
        let stderr = self.stderr();
        let error = Error::new(ErrorKind::ExitStatus, message).with_stderr_tail(&stderr);
        Err(error.masking(&self.secrets).with_output(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_and_does_not_repeat_the_source() {
        let error = Error::from_io("cannot read /etc/x", std::io::Error::other("the cause"))
            .with_target("@local")
            .with_stderr_tail(b"first\nlast\n");
        assert_eq!(error.to_string(), "@local: cannot read /etc/x: last");
        assert_eq!(format!("{error:#}"), "cannot read /etc/x: last");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the cause"));
    }
}
