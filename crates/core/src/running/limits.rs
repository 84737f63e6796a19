//! The limits of time of one command.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::values::error::{Error, ErrorKind, Result};

/// Limits of time; `None` is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For everything.
    pub(crate) whole: Option<Duration>,
    /// Without a byte in either direction.
    pub(crate) stall: Option<Duration>,
    /// For the start of the command.
    pub(crate) start: Option<Duration>,
    /// Time for which output that another process still holds is read after the command's end.
    pub(crate) silence: Duration,
}

/// Watches the limits of one command.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) limits: Limits,
    since: Instant,
    /// When the limit for everything is reached.
    until: Option<Instant>,
    /// When a byte was moved last, in milliseconds after `since`.
    moved: AtomicU64,
}

impl Clock {
    /// Starts a clock for a command for which `spent` has passed already.
    pub(crate) fn start(limits: Limits, spent: Duration) -> Self {
        let since = Instant::now();
        let left = limits.whole.map(|whole| whole.saturating_sub(spent));
        let until = left.and_then(|left| since.checked_add(left));
        Self { limits, since, until, moved: AtomicU64::new(0) }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Notes that bytes were moved.
    pub(crate) fn note_movement(&self) {
        let now = self.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    /// Resolves when a limit is reached, with its error.
    pub(crate) async fn reached(&self) -> Error {
        tokio::select! {
            () = until(self.until) => {
                let limit = self.limits.whole.unwrap_or_default();
                Error::new(ErrorKind::Timeout, format!("it took longer than {limit:?} and was ended"))
            }
            limit = self.stalled() => {
                Error::new(ErrorKind::Timeout, format!("nothing moved for {limit:?}, so it was ended"))
            }
        }
    }

    async fn stalled(&self) -> Duration {
        let Some(limit) = self.limits.stall else { return std::future::pending().await };
        loop {
            let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
            let stalls = self.since + moved + limit;
            if stalls <= Instant::now() {
                return limit;
            }
            sleep_until(stalls).await;
        }
    }

    /// Does `work` within the limit for everything: a channel, or a FIFO, may take its time to
    /// open.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = until(self.until) => {
                let limit = self.limits.whole.unwrap_or_default();
                Err(Error::new(ErrorKind::Timeout, format!("not started after {limit:?}")))
            }
        }
    }
}

/// Resolves at `time`; never if there is none.
pub(crate) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
