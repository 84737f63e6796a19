//! A channel that is reserved for kills on a master that gives no second login.

use std::fmt;
use std::sync::Arc;

use hostlink_core::Process;
use tokio::sync::Mutex;

use crate::host::Host;
use crate::slots::Use;
use crate::transport::{Request, Transport};

/// Holds the channel until its input ends.
const WAITING: &[u8] = b"exec cat";

/// A channel on a master of the user's. Other programs use the master too, so a channel that is
/// only left free may be taken when a kill needs it.
pub(crate) struct Reserve {
    host: Arc<Host>,
    held: Mutex<Option<(Arc<dyn Transport>, Process)>>,
}

impl Reserve {
    /// Returns a reserve that holds no channel yet.
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host, held: Mutex::default() }
    }

    /// Takes the channel, unless it is held already, or a kill or the only command needs it.
    ///
    /// # Cancel safety
    ///
    /// A channel that was requested is dropped.
    pub(crate) async fn hold(&self, login: &Arc<dyn Transport>) {
        if self.host.settings().control_path.is_none() {
            return;
        }
        let mut held = self.held.lock().await;
        held.take_if(|(on, _)| !Arc::ptr_eq(on, login));
        let slots = self.host.slots();
        if held.is_none() && slots.can_spare() {
            let waiting = Request::Line(WAITING.to_vec());
            let opened = login.open(&waiting, None, Some(slots.channel(Use::Kill))).await;
            // A refusal means that no channel is to spare, which the slots have noted. The
            // connection may be closed by now.
            let opened = opened.ok().filter(|_| self.host.login().is_ok());
            *held = opened.map(|process| (login.clone(), process));
        }
    }

    /// Releases the channel, which is free a moment later.
    pub(crate) fn release(&self) {
        // If it is locked, the channel is being taken, and is not open yet.
        if let Ok(mut held) = self.held.try_lock() {
            held.take();
        }
    }
}

impl fmt::Debug for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}
