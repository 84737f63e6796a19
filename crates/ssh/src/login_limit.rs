//! Limits the logins that run at the same time, in all and at each first hop.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::Settings;

/// Maximum number of logins at one first hop. sshd starts to refuse some at 10 that are not
/// authenticated yet (`MaxStartups` 10:30:100, sshd_config(5)), and may still count a login that
/// has just ended.
const PER_HOP: usize = 8;

/// Maximum number of logins in all. Each takes a process and a key exchange here.
const IN_ALL: usize = 64;

/// Limits the logins that run at the same time.
#[derive(Debug)]
pub(crate) struct LoginLimit {
    all: Arc<Semaphore>,
    hops: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Permission for one login, until it is dropped.
#[derive(Debug)]
pub(crate) struct LoginPermit {
    _hop: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for LoginLimit {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(IN_ALL)), hops: Mutex::default() }
    }
}

impl LoginLimit {
    /// Waits until a login may start. A hop that only the user's ssh_config knows is not counted: a
    /// login that it refuses is tried again.
    pub(crate) async fn acquire(&self, settings: &Settings) -> LoginPermit {
        let hop = self.hop(first_hop(settings));
        // They are never closed.
        let hop = hop.acquire_owned().await.ok();
        let all = self.all.clone().acquire_owned().await.ok();
        LoginPermit { _hop: hop, _all: all }
    }

    fn hop(&self, name: String) -> Arc<Semaphore> {
        let new = || Arc::new(Semaphore::new(PER_HOP));
        self.hops.lock().entry(name).or_insert_with(new).clone()
    }
}

/// Returns the host of the first connection.
fn first_hop(settings: &Settings) -> String {
    let jumps = settings.proxy_jump.as_deref().filter(|jump| *jump != "none");
    match (jumps, &settings.proxy_command) {
        (Some(jumps), _) => jumps.split(',').next().unwrap_or(jumps).to_owned(),
        (None, Some(command)) => command.clone(),
        (None, None) => format!("{}:{}", settings.host, settings.port.unwrap_or(22)),
    }
}
