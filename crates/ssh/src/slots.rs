//! How many channels are used at once.

use std::sync::Arc;

use hostlink_core::{Error, ErrorKind, Result, Slot};
use tokio::sync::Semaphore;

/// Commands at once on one login. sshd allows 10 sessions by default (`MaxSessions`, sshd_config(5)): one is for
/// files, and one stays free for kills, without which commands that hang could not be ended.
const COMMANDS: usize = 8;

/// The channels of one login.
#[derive(Debug)]
pub(crate) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(COMMANDS)))
    }
}

impl Slots {
    /// Waits for a channel. An urgent command takes one that is kept free.
    pub(crate) async fn take(&self, urgent: bool) -> Result<Slot> {
        if urgent {
            return Ok(Slot::default());
        }
        let closed = |_| Error::new(ErrorKind::LinkLost, "the connection was closed");
        self.0.clone().acquire_owned().await.map(Slot::holding).map_err(closed)
    }

    /// Nobody gets a channel any more.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}
