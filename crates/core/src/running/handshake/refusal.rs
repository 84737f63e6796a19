//! Errors for questions that got no answer.

use tokio::time::{Instant, sleep_until};

use super::NoAnswer;
use crate::values::error::{Error, ErrorKind, Refusal};

/// Returns whether sudo refused a password: it asked again, or says how many were wrong, in
/// whatever language. It does not ask again if it takes one attempt only (sudoers(5),
/// `passwd_tries`).
pub(crate) fn is_refused_password(error: &Error) -> bool {
    let counts = |line: &str| {
        line.strip_prefix("sudo: ")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    error.refusal() == Some(Refusal::WrongPassword)
        || error.kind() == ErrorKind::Privilege
            && error.stderr_tail().is_some_and(|tail| tail.lines().any(counts))
}

pub(crate) fn no_answer(why: NoAnswer) -> Error {
    let (refusal, message) = match why {
        NoAnswer::Refused => (Refusal::WrongPassword, "the password was not accepted"),
        NoAnswer::Unknown => (
            Refusal::NoPassword,
            "the target asks a question that has no answer here: is a password required?",
        ),
    };
    Error::new(ErrorKind::Privilege, message).with_refusal(refusal)
}

/// Resolves when a tool has had its time to end after a question without an answer.
pub(crate) async fn refusal(refused: Option<(NoAnswer, Instant)>) -> Error {
    let Some((why, limit)) = refused else { return std::future::pending().await };
    sleep_until(limit).await;
    no_answer(why)
}
