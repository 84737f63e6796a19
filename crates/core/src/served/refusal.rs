//! What is told of a question that got no answer.

use tokio::time::{Instant, sleep_until};

use crate::error::{Error, ErrorKind};
use crate::handshake::Unanswered;

/// What is told of a password that the tool did not take.
pub(crate) const PASSWORD_REFUSED: &str = "the password was not accepted";

pub(super) fn no_answer(why: Unanswered) -> Error {
    let message = match why {
        Unanswered::Again => PASSWORD_REFUSED,
        Unanswered::Unknown => "something was asked that has no answer here: is a password wanted?",
    };
    Error::new(ErrorKind::Privilege, message)
}

/// Resolves when a tool has had its time to end after a question without an answer.
pub(super) async fn refusal(refused: Option<(Unanswered, Instant)>) -> Error {
    let Some((why, limit)) = refused else { return std::future::pending().await };
    sleep_until(limit).await;
    no_answer(why)
}
