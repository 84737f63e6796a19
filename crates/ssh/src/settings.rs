//! The settings of one host, checked before anything connects.

mod rules;
#[cfg(test)]
mod tests;
mod unknown;

use std::path::Path;
use std::time::Duration;

use hostlink_core::{Context, Result, Target};

use crate::fields::{self, Reading};
pub(crate) use crate::fields::{FileProtocol, HostKeyPolicy, Settings};

impl Settings {
    /// Reads a target's data. `home` replaces `~`. Checks the files that are named.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with all faults.
    pub(crate) fn parse(target: &Target, home: Option<&Path>) -> Result<Self> {
        let mut reading = Reading::new(target, home);
        unknown::check(&mut reading);
        let settings = Self::read(&mut reading);
        rules::check(&mut reading, &settings);
        reading.finish()?;
        Ok(settings)
    }

    /// Returns the time limit of one attempt to connect.
    pub(crate) fn connect_limit(&self, context: &Context) -> Duration {
        self.connect_timeout.unwrap_or(context.connect_timeout)
    }

    /// Returns the shortest and the longest wait between two attempts. If only one is given, the
    /// other is its default, or equal to it.
    pub(crate) fn retry_delays(&self) -> (Duration, Duration) {
        let least: Duration = fields::CONNECT_RETRY_MIN_DELAY.default_value();
        let most: Duration = fields::CONNECT_RETRY_MAX_DELAY.default_value();
        match (self.retry_min_delay, self.retry_max_delay) {
            (Some(min), Some(max)) => (min, max),
            (Some(min), None) => (min, most.max(min)),
            (None, Some(max)) => (least.min(max), max),
            (None, None) => (least, most),
        }
    }
}
