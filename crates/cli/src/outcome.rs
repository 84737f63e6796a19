//! The outcome of one target.

use hostlink::transfer::Transferred;
use hostlink::{CommandOutput, Error, ExitStatus};

/// What TARGETS stands for, however many hosts there are at the moment: the form of the output and
/// the meaning of the exit status follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    One,
    Many,
}

/// The outcome of one target.
pub(crate) type Outcome = Result<Done, Failure>;

/// Why a target failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether the target was reached.
    pub(crate) reached: bool,
}

impl Failure {
    /// The target was not reached.
    pub(crate) fn to_connect(error: Error) -> Self {
        Self { error, reached: false }
    }
}

/// A failure on a target that was reached.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, reached: true }
    }
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Done {
    Ran(CommandOutput),
    Moved(Transferred),
    /// An interactive session.
    Left(ExitStatus),
}
