//! Copies between files of this machine, for connections whose target shares its file system.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::task::TaskTracker;

use super::atomic::joined;
use crate::values::error::Result;

/// Work on files, on threads that may block.
#[derive(Debug)]
pub struct Copies(TaskTracker);

/// A flag that is set when the future that waits for some work is dropped.
#[derive(Clone, Debug, Default)]
pub struct Cancelled(Arc<AtomicBool>);

/// Bytes between two checks whether a copy is cancelled.
const PIECE: u64 = 8 * 1024 * 1024;

impl Copies {
    /// Runs `work`, which learns from its argument if the future is dropped.
    ///
    /// # Errors
    ///
    /// Returns the result of the work, or [`ErrorKind::Transfer`](crate::ErrorKind::Transfer) if
    /// the runtime is ending.
    ///
    /// # Panics
    ///
    /// If the work does.
    ///
    /// # Cancel safety
    ///
    /// The work continues until it checks; [`settle`](Self::settle) waits for it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cancelled) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let guard = CancelOnDrop(Cancelled::default());
        let cancelled = guard.0.clone();
        joined(self.0.spawn_blocking(move || work(&cancelled))).await
    }

    /// Waits until all work has ended, so that cancelled work has cleaned up.
    pub async fn settle(&self) {
        self.0.wait().await;
    }
}

impl Default for Copies {
    fn default() -> Self {
        let tasks = TaskTracker::new();
        // It takes tasks none the less; an open one could not be waited for.
        tasks.close();
        Self(tasks)
    }
}

impl Cancelled {
    /// Returns whether the future was dropped.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Copies the rest of one file to another, at most `most` bytes, and returns how many it copied: a
/// source that grows is copied up to the length that it had. On Linux the kernel copies
/// (copy_file_range(2), by std's `io::copy`).
///
/// # Errors
///
/// The operating system's; [`Interrupted`](io::ErrorKind::Interrupted) once it is not to `go_on`,
/// which is asked before each 8 MiB and at the end.
pub fn copy_file(
    from: &File,
    mut to: &File,
    most: Option<u64>,
    go_on: impl Fn() -> bool,
) -> io::Result<u64> {
    let most = most.unwrap_or(u64::MAX);
    let mut copied = 0;
    loop {
        if !go_on() {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let length = io::copy(&mut from.take(PIECE.min(most - copied)), &mut to)?;
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
