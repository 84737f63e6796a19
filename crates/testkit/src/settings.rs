//! What holds for everything that the suite runs.

use std::time::Duration;

use hostlink_core::ConnectorArguments;

/// How long a thing that must happen may take. Generous: a busy machine is no bug.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments that say nothing.
pub(crate) fn plain() -> ConnectorArguments {
    ConnectorArguments::new()
}
