//! The cases that took longest.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The number of cases that are listed.
const SHOWN: usize = 10;

/// Collects how long cases took, from the start of their turns.
#[derive(Debug, Default)]
pub(crate) struct Slowest(Mutex<Vec<(Duration, String)>>);

impl Slowest {
    pub(crate) fn add(&self, name: &str, took: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((took, name.to_owned()));
        kept.sort_by(|left, right| right.cmp(left));
        kept.truncate(SHOWN);
    }

    /// Returns one line per case, the slowest first.
    pub(crate) fn lines(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|(took, name)| format!("{:>7.1} s  {name}\n", took.as_secs_f64())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_come_first_and_the_others_are_forgotten() {
        let slowest = Slowest::default();
        for tenth in 1..=20 {
            slowest.add(&format!("case {tenth}"), Duration::from_millis(tenth * 100));
        }
        let lines = slowest.lines();
        assert!(lines.starts_with("    2.0 s  case 20\n    1.9 s  case 19\n"), "{lines}");
        assert_eq!(lines.lines().count(), SHOWN);
    }
}
