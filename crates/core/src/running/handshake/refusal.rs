//! What is told of a question that got no answer.

use tokio::time::{Instant, sleep_until};

use super::Unanswered;
use crate::values::error::{Error, ErrorKind};

/// What is told of a password that the tool did not take.
const PASSWORD_REFUSED: &str = "the password was not accepted";

/// Whether sudo did not take a password: it asked again, or says how many were wrong, in whatever
/// language. It does not ask again where it takes one attempt only (sudoers(5), `passwd_tries`).
pub(crate) fn is_refused_password(error: &Error) -> bool {
    let counts = |line: &str| {
        line.strip_prefix("sudo: ")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    error.kind() == ErrorKind::Privilege
        && (error.message() == PASSWORD_REFUSED
            || error.stderr_tail().is_some_and(|tail| tail.lines().any(counts)))
}

pub(crate) fn no_answer(why: Unanswered) -> Error {
    let message = match why {
        Unanswered::Again => PASSWORD_REFUSED,
        Unanswered::Unknown => "something was asked that has no answer here: is a password wanted?",
    };
    Error::new(ErrorKind::Privilege, message)
}

/// Resolves when a tool has had its time to end after a question without an answer.
pub(crate) async fn refusal(refused: Option<(Unanswered, Instant)>) -> Error {
    let Some((why, limit)) = refused else { return std::future::pending().await };
    sleep_until(limit).await;
    no_answer(why)
}
