//! Errors as users see them.

use hostlink_core::Error;

use crate::{Outcome, Verdict};

/// Checks that an error is one nonempty line.
pub(crate) fn rejected(error: &Error) -> Outcome {
    let told = error.to_string();
    if told.is_empty() || told.contains(char::is_control) {
        return Err(format!("the error is not one line of text: {told:?}"));
    }
    Ok(Verdict::Rejected)
}
