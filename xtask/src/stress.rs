//! Busy processors: a test that waits for a fixed time fails beside them.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};

/// On two processors, four loops leave a third of the time to a test.
const LOOPS: usize = 4;

/// Loops that keep processors busy until this value is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Stress {
    is_over: Arc<AtomicBool>,
    loops: Vec<JoinHandle<()>>,
}

impl Stress {
    pub(crate) fn start() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let is_over = is_over.clone();
            spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    spin_loop()
                }
            })
        };
        Self { loops: (0..LOOPS).map(start).collect(), is_over }
    }
}

impl Drop for Stress {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for it in self.loops.drain(..) {
            let _ = it.join();
        }
    }
}
