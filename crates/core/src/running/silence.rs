//! Silence after a process's end.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use crate::running::kill::Killer;
use crate::values::error::Result;

/// Replaces a time that the clock cannot express.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Time limit for output on its way from the connection's buffers to here.
const LAST_CHANCE: Duration = Duration::from_millis(200);

/// Decides whether silence after a process's end means that there is no more output.
pub(crate) struct Silence {
    length: Duration,
    ends: Instant,
    probe: Option<BoxFuture<'static, Result<()>>>,
    /// The target has answered the probe.
    is_answered: bool,
}

impl Silence {
    pub(crate) fn of(length: Duration) -> Self {
        Self { length, ends: after(length), probe: None, is_answered: false }
    }

    /// Something was heard.
    pub(crate) fn restart(&mut self) {
        *self = Self::of(self.length);
    }

    /// Resolves when it has lasted for its length although the link does not stall: the rest of the
    /// output could be on its way.
    ///
    /// # Cancel safety
    ///
    /// It goes on where it was.
    pub(crate) async fn lasted(&mut self, killer: Option<&Killer>) -> Result<()> {
        loop {
            if let Some(probe) = &mut self.probe {
                let answer = probe.await;
                self.probe = None;
                answer?;
                (self.is_answered, self.ends) = (true, Instant::now() + LAST_CHANCE);
            }
            sleep_until(self.ends).await;
            match killer {
                Some(killer) if !self.is_answered => self.probe = Some(killer.answers()),
                _ => return Ok(()),
            }
        }
    }
}

fn after(length: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(length).unwrap_or(now + FAR_AWAY)
}
