//! The order to stop: on a signal, or when the output pipe is closed.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Why everything stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The terminal is gone: SIGHUP.
    HangUp,
    /// Standard output was closed, as with SIGPIPE.
    PipeClosed,
}

impl Cause {
    /// Returns the status that a shell reports for the signal.
    pub(crate) fn exit_status(self) -> u8 {
        128 + match self {
            Self::HangUp => 1,
            Self::Interrupt => 2,
            Self::PipeClosed => 13,
            Self::Terminate => 15,
        }
    }
}

/// The order to stop. Clones share it; the first cause is kept.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    cause: watch::Sender<Option<Cause>>,
    at_once: Arc<Notify>,
}

impl Stop {
    fn new() -> Self {
        Self { cause: watch::Sender::new(None), at_once: Arc::new(Notify::new()) }
    }

    /// Returns an order that signals give too.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let stop = Self::new();
        let mut signals = Signals::new()?;
        let order = stop.clone();
        tokio::spawn(async move {
            loop {
                order.signal(signals.next().await);
            }
        });
        Ok(stop)
    }

    /// Gives the order.
    pub(crate) fn request(&self, cause: Cause) {
        self.cause.send_if_modified(|given| {
            let first = given.is_none();
            given.get_or_insert(cause);
            first
        });
    }

    /// Handles a signal. A second one ends the wait for clean-ups.
    fn signal(&self, cause: Cause) {
        if self.cause().is_some() {
            self.at_once.notify_one();
        }
        self.request(cause);
    }

    /// Returns the cause, if the order was given.
    pub(crate) fn cause(&self) -> Option<Cause> {
        *self.cause.borrow()
    }

    /// Resolves when the order was given.
    pub(crate) async fn requested(&self) {
        let mut cause = self.cause.subscribe();
        // The sender lives as long as `self`.
        let _ = cause.wait_for(Option::is_some).await;
    }

    /// Resolves at a signal after the order.
    pub(crate) async fn at_once(&self) {
        self.at_once.notified().await;
    }
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` if SIGHUP is ignored (nohup).
    hang_up: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hang_up = if is_hang_up_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt, terminate, hang_up })
    }

    async fn next(&mut self) -> Cause {
        tokio::select! {
            _ = self.interrupt.recv() => Cause::Interrupt,
            _ = self.terminate.recv() => Cause::Terminate,
            () = next_of(&mut self.hang_up) => Cause::HangUp,
        }
    }
}

async fn next_of(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Reads SigIgn (proc(5)). Without /proc, SIGHUP counts as handled.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_cause_stays_and_a_second_signal_hurries() {
        let stop = Stop::new();
        assert_eq!(stop.cause(), None);
        stop.request(Cause::PipeClosed);
        stop.requested().await;
        stop.signal(Cause::Interrupt);
        stop.at_once().await;
        assert_eq!(stop.cause().map(Cause::exit_status), Some(141));
    }
}
