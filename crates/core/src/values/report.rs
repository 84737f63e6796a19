//! What the library has to tell while it works, and what it has to ask.

use std::fmt;

use async_trait::async_trait;

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::lines::OutputLine;
use crate::values::secret::Secret;

/// Something worth telling while work goes on. Secrets are masked.
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
    /// Something that explains what happened, for `-v`.
    Detail(&'a str),
}

/// Takes what the library has to tell. Libraries never print: the cli's reporter does.
pub trait Reporter: fmt::Debug + Send + Sync {
    /// Takes one event of the target of this name; of none if it is empty. It must not block.
    fn report(&self, target: &str, event: Event<'_>);
}

/// A reporter that drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _target: &str, _event: Event<'_>) {}
}

/// Asks the user for a secret. Libraries never prompt: the cli's prompter does.
#[async_trait]
pub trait Prompter: fmt::Debug + Send + Sync {
    /// Asks `question`, which names the target, and returns the answer. Time spent here counts
    /// against no limit.
    ///
    /// # Errors
    ///
    /// There is nobody to ask.
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret>;
}

/// A prompter with nobody behind it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyToAsk;

#[async_trait]
impl Prompter for NobodyToAsk {
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret> {
        let message = format!("{question} is wanted, and there is no terminal to ask on");
        Err(Error::new(ErrorKind::Auth, message).with_target(target))
    }
}
