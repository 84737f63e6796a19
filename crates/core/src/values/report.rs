//! Events that the library reports, and questions that it asks the user.

use std::fmt;

use async_trait::async_trait;

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::lines::OutputLine;
use crate::values::secret::Secret;

/// Something to report during work. Secrets are masked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A command is about to run (`print_input`).
    Input(&'a str),
    /// A command wrote a line (`print_output`).
    Output(&'a OutputLine),
    /// Something the user should know.
    Warning(&'a str),
    /// A result that is not a command's output: an image that was made.
    Notice(&'a str),
    /// A step, or an explanation, for `-v`.
    Detail(&'a str),
    /// A line of a program that connects, such as ssh, for `-vv`.
    Program(&'a str),
}

/// Receives events. The library never prints: the cli's reporter does.
pub trait Reporter: fmt::Debug + Send + Sync {
    /// Receives an event of the target of this name; empty if of none. It must not block.
    fn report(&self, target: &str, event: Event<'_>);
}

/// A reporter that drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _target: &str, _event: Event<'_>) {}
}

/// Asks the user for a secret. The library never prompts: the cli's prompter does.
#[async_trait]
pub trait Prompter: fmt::Debug + Send + Sync {
    /// Asks `question`, which names the target, and returns the answer. No time limit includes
    /// this time.
    ///
    /// # Errors
    ///
    /// There is no user to ask.
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret>;
}

/// A prompter without a user: every question fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrompter;

#[async_trait]
impl Prompter for NoPrompter {
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret> {
        let message = format!("{question} is required, and there is no terminal to ask on");
        Err(Error::new(ErrorKind::Auth, message).with_target(target))
    }
}
