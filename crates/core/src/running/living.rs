//! A process, and what ends it.

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::contract::connection::Slot;
use crate::running::handshake::Handshake;
use crate::running::kill::{Ending, Killer};
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::Chunk;
use crate::values::status::ExitStatus;

/// A process that is there. Dropping this ends everything that the process started.
pub(crate) struct Living {
    /// Its announcements.
    pub(crate) handshake: Handshake,
    /// `None` once it has ended.
    pub(crate) output: Option<BoxStream<'static, std::io::Result<Chunk>>>,
    /// `None` once it has resolved, also to an error.
    pub(crate) exit: Option<BoxFuture<'static, Result<ExitStatus>>>,
    pub(crate) status: Option<ExitStatus>,
    /// `None` if there is nothing to end any more.
    pub(crate) killer: Option<Killer>,
    pub(crate) slot: Slot,
}

impl Living {
    /// The process and all that it started have ended, or are the user's now.
    pub(crate) fn release(&mut self) {
        self.killer = None;
    }

    /// Ends everything after `error`, which then says whether that is proved. If the command had
    /// ended by itself, what it left running is the user's, unless the time was up.
    pub(crate) async fn end_by_force(mut self, error: Error) -> Error {
        if self.status.is_some() && error.kind() != ErrorKind::Timeout {
            self.release();
            return error;
        }
        match self.ending() {
            Some(ending) => error.with_kill_confirmed(ending.and_wait().await),
            None => error.with_kill_confirmed(false),
        }
    }

    /// Returns the processes that are left to end.
    fn ending(&mut self) -> Option<Ending> {
        Some(Ending {
            killer: self.killer.take()?,
            handshake: std::mem::take(&mut self.handshake),
            output: self.output.take(),
            exit: self.exit.take(),
            over: self.status.is_some(),
            _slot: std::mem::take(&mut self.slot),
        })
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        if let Some(ending) = self.ending() {
            ending.begin();
        }
    }
}
