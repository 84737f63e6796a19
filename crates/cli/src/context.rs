//! What connectors are given of this process.

use std::sync::Arc;

use hostlink::Context;
use hostlink::connect::SECRET_VARIABLES;

use crate::invocation::Invocation;
use crate::messages::{Messages, Teller};
use crate::prompt::{OneAnswer, TerminalPrompter};

/// The context of an invocation: the environment without hostlink's own secrets, the home
/// directory, the reporter, and who asks for secrets.
pub(crate) fn of(invocation: &Invocation, messages: &Messages) -> Context {
    let variables = std::env::vars_os();
    let texts = variables
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    Context {
        connect_timeout: invocation.connect_timeout,
        trust_data: invocation.trust_data,
        environment: texts.filter(|(key, _)| !SECRET_VARIABLES.contains(&key.as_str())).collect(),
        home: std::env::var_os("HOME").filter(|home| !home.is_empty()).map(Into::into),
        reporter: Arc::new(Teller::new(messages.clone(), invocation.verbose)),
        prompter: if invocation.same_sudo_password {
            Arc::new(OneAnswer::default())
        } else {
            Arc::new(TerminalPrompter)
        },
        ..Context::default()
    }
}
