//! A channel that is held back for kills, where no second login can be made for them.

use std::fmt;
use std::sync::Arc;

use hostlink_core::Process;
use tokio::sync::Mutex;

use crate::host::Host;
use crate::slots::Use;
use crate::transport::{Request, Transport};

/// Reads until it is let go of.
const WAITING: &[u8] = b"exec cat";

/// A channel on a master of the user's, which others use too: what is only not used may be gone
/// when it is needed.
pub(crate) struct Reserve {
    host: Arc<Host>,
    held: Mutex<Option<(Arc<dyn Transport>, Process)>>,
}

impl Reserve {
    /// Holds nothing yet.
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host, held: Mutex::default() }
    }

    /// Takes the channel, unless it is there, or a kill or the only command needs it.
    ///
    /// # Cancel safety
    ///
    /// A channel that was asked for is given up.
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
            // If it was refused, there is none to spare, and the slots know. The connection may be
            // closed by now.
            let opened = opened.ok().filter(|_| self.host.login().is_ok());
            *held = opened.map(|process| (login.clone(), process));
        }
    }

    /// Lets go of the channel, which is free in a moment.
    pub(crate) fn release(&self) {
        // Where it is being taken, it is not there yet.
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
