//! What host data says about one host, checked before anything connects.

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
    /// Reads a target's data. `home` stands for `~`; the files that are named are looked at.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with everything that is wrong.
    pub(crate) fn parse(target: &Target, home: Option<&Path>) -> Result<Self> {
        let mut reading = Reading::new(target, home);
        unknown::check(&mut reading);
        let settings = Self::read(&mut reading);
        rules::check(&mut reading, &settings);
        reading.finish()?;
        Ok(settings)
    }

    /// The limit of one attempt to connect.
    pub(crate) fn connect_limit(&self, context: &Context) -> Duration {
        self.connect_timeout.unwrap_or(context.connect_timeout)
    }

    /// The shortest wait between two attempts, and the longest. Where one alone is given, the
    /// default of the other makes way for it.
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
