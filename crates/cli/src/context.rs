//! The context that connectors get from this process.

use std::sync::Arc;

use hostlink::Context;

use crate::invocation::Invocation;
use crate::messages::{Messages, Teller};
use crate::prompt::TerminalPrompter;

/// Returns the context of an invocation: the environment without hostlink's own secrets, the home
/// directory, the reporter, and the prompter for secrets.
pub(crate) fn of(
    invocation: &Invocation,
    prompter: Arc<TerminalPrompter>,
    messages: &Messages,
) -> Context {
    Context {
        connect_timeout: invocation.connect_timeout,
        trust_data: invocation.trust_data,
        reporter: Arc::new(Teller::new(messages.clone(), invocation.verbosity)),
        prompter,
        ..Context::from_env()
    }
}
