//! Copies between files of this machine, for connections whose target's files this machine can open.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::atomic::blocking;
use crate::error::Result;

/// Whether the future that waits for some work has been dropped.
#[derive(Clone, Debug, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Whether it has.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Between two pieces of this size a copy can be cancelled.
const PIECE: u64 = 64 * 1024 * 1024;

/// Runs what waits for the file system on a thread that may wait, and tells it if the future is dropped.
///
/// # Errors
///
/// What the work returns, or [`ErrorKind::Transfer`](crate::ErrorKind::Transfer) if the runtime is ending.
///
/// # Panics
///
/// If the work does.
pub async fn cancellable<T: Send + 'static>(
    work: impl FnOnce(&Cancelled) -> Result<T> + Send + 'static,
) -> Result<T> {
    let guard = CancelOnDrop(Cancelled::default());
    let cancelled = guard.0.clone();
    blocking(move || work(&cancelled)).await
}

/// Copies what is left of one file to another, and returns how much that was. On Linux the kernel does it
/// (copy_file_range(2), by std's `io::copy`).
///
/// # Errors
///
/// The operating system's; [`Interrupted`](io::ErrorKind::Interrupted) once it is not to `go_on`, which is asked before
/// each 64 MiB.
pub fn copy_file(from: &File, mut to: &File, go_on: impl Fn() -> bool) -> io::Result<u64> {
    let mut copied = 0;
    loop {
        if !go_on() {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let length = io::copy(&mut from.take(PIECE), &mut to)?;
        copied += length;
        if length == 0 {
            return Ok(copied);
        }
    }
}

struct CancelOnDrop(Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
