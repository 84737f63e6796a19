//! The outcome of one target.

use hostlink::transfer::Transferred;
use hostlink::{CommandOutput, ExitStatus, Result};

/// The outcome of one target.
pub(crate) type Outcome = Result<Done>;

/// What was done.
#[derive(Debug)]
pub(crate) enum Done {
    Ran(CommandOutput),
    Moved(Transferred),
    /// An interactive session.
    Left(ExitStatus),
}
