//! What became of one target.

use hostlink::transfer::Transferred;
use hostlink::{CommandOutput, ExitStatus, Result};

/// What became of one target.
pub(crate) type Outcome = Result<Done>;

/// What was done.
#[derive(Debug)]
pub(crate) enum Done {
    Ran(CommandOutput),
    Moved(Transferred),
    /// A session that somebody typed at.
    Left(ExitStatus),
}
