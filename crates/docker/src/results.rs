//! Whether everything that was done on a connection went well.

use std::sync::atomic::{AtomicBool, Ordering};

use hostlink_core::{ExitStatus, Result};

/// What became of the commands and transfers of one connection.
#[derive(Debug, Default)]
pub(crate) struct Results {
    failed: AtomicBool,
}

impl Results {
    /// One did not go well.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Takes the end of a command. Whoever does not wait for the end must call [`fail`](Self::fail).
    pub(crate) fn take(&self, ended: &Result<ExitStatus>) {
        if !matches!(ended, Ok(ExitStatus::Code(0))) {
            self.fail();
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}
