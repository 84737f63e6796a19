//! Settings for everything that the suite runs.

use std::time::Duration;

use hostlink_core::ConnectorArguments;

/// Time limit for an event that must happen. It is generous: a busy machine is not a bug.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Default arguments, without reports of input and output.
pub(crate) fn plain() -> ConnectorArguments {
    ConnectorArguments::new()
}
