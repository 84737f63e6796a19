//! What an engine refused, or why it did not answer.

use std::error::Error as StdError;

use bollard::errors::Error as ApiError;
use hostlink_core::{Error, ErrorKind};

/// The HTTP status of an engine's refusal.
pub(crate) fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The engine's own words, on one line.
pub(crate) fn words(error: &ApiError) -> String {
    let text = match error {
        ApiError::DockerResponseServerError { message, .. } => message.clone(),
        ApiError::DockerStreamError { error } => error.clone(),
        other => causes(other),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}

/// The error for a call that failed while `doing` something.
pub(crate) fn told(doing: &str, error: ApiError) -> Error {
    let kind = match status(&error) {
        Some(401 | 403) => ErrorKind::PermissionDenied,
        Some(404) => ErrorKind::NotFound,
        Some(_) => ErrorKind::Connect,
        None => our_own(&error).map_or(ErrorKind::Connect, Error::kind),
    };
    let message = match our_own(&error) {
        Some(own) => format!("{doing}: {}", own.message()),
        None => format!("{doing}: {}", words(&error)),
    };
    Error::new(kind, message).with_source(error)
}

/// The error that opening a stream ended with, inside those of the layers above it.
pub(crate) fn our_own(error: &ApiError) -> Option<&Error> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(own) = cause.downcast_ref() {
            return Some(own);
        }
        next = cause.source();
    }
    None
}

/// What the innermost cause says: the layers of HTTP above it say that there was an error.
fn causes(error: &ApiError) -> String {
    let mut deepest: &(dyn StdError + 'static) = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    match error {
        ApiError::RequestTimeoutError => "no answer in time".to_owned(),
        _ => deepest.to_string(),
    }
}
