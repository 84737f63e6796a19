//! A connector with scripted answers.

mod connection;
mod connector;
mod files;
mod finished;
mod rule;
#[cfg(test)]
mod tests;

pub use connector::FakeConnector;
pub use finished::finished;
pub use rule::{Answer, Matcher, Rule};
