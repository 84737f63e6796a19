//! Warnings of what a target sent and was not taken over.

use std::path::Path;

/// What was not taken over as it is. A target may send any number of such entries.
#[derive(Debug, Default)]
pub(in crate::transfer) struct Warnings {
    texts: Vec<String>,
    more: u64,
}

impl Warnings {
    /// The most that are reported one by one.
    const MOST: usize = 20;

    pub(super) fn add(&mut self, path: &Path, problem: &str) {
        match self.texts.len() < Self::MOST {
            true => self.texts.push(format!("{:?} {problem}", path.to_string_lossy())),
            false => self.more += 1,
        }
    }

    /// Returns the warnings, the last of which counts those that are not kept.
    pub(in crate::transfer) fn take(&mut self) -> Vec<String> {
        let mut texts = std::mem::take(&mut self.texts);
        if self.more > 0 {
            texts.push(format!("{} more entries are left out or changed", self.more));
        }
        texts
    }
}
