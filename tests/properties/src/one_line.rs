//! Errors as users get them.

use hostlink_core::Error;

use crate::{Outcome, Verdict};

/// An error is one line, and says something.
pub(crate) fn rejected(error: &Error) -> Outcome {
    let told = error.to_string();
    if told.is_empty() || told.contains(char::is_control) {
        return Err(format!("the error is not one line of text: {told:?}"));
    }
    Ok(Verdict::Rejected)
}
