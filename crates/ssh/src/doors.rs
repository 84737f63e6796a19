//! How many logins are under way at once, in all and at each first hop.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::Settings;

/// Logins at once at one first hop. sshd starts to turn some away at 10 that are not authenticated
/// yet (`MaxStartups` 10:30:100, sshd_config(5)), and a login that has just ended may still count.
const PER_HOP: usize = 8;

/// Logins at once in all. Each takes a process and a key exchange here.
const IN_ALL: usize = 64;

/// The doors that logins go through.
#[derive(Debug)]
pub(crate) struct Doors {
    all: Arc<Semaphore>,
    hops: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place in the door, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _hop: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for Doors {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(IN_ALL)), hops: Mutex::default() }
    }
}

impl Doors {
    /// Waits for a place. A hop that only the user's ssh_config knows is not counted: a login that
    /// it turns away is tried again.
    pub(crate) async fn enter(&self, settings: &Settings) -> Place {
        let hop = self.hop(first_hop(settings));
        // They are never closed.
        let hop = hop.acquire_owned().await.ok();
        let all = self.all.clone().acquire_owned().await.ok();
        Place { _hop: hop, _all: all }
    }

    fn hop(&self, name: String) -> Arc<Semaphore> {
        let new = || Arc::new(Semaphore::new(PER_HOP));
        self.hops.lock().entry(name).or_insert_with(new).clone()
    }
}

/// The host that the first connection goes to.
fn first_hop(settings: &Settings) -> String {
    let jumps = settings.proxy_jump.as_deref().filter(|jump| *jump != "none");
    match (jumps, &settings.proxy_command) {
        (Some(jumps), _) => jumps.split(',').next().unwrap_or(jumps).to_owned(),
        (None, Some(command)) => command.clone(),
        (None, None) => format!("{}:{}", settings.host, settings.port.unwrap_or(22)),
    }
}
