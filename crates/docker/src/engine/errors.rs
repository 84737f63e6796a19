//! Errors of an engine's API: a refusal, or why there is no answer.

use std::error::Error as StdError;

use bollard::errors::Error as ApiError;
use hostlink_core::{Error, ErrorKind};

/// Returns the HTTP status of an engine's refusal.
pub(crate) fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Returns the engine's own message, on one line.
pub(crate) fn message_of(error: &ApiError) -> String {
    let text = match error {
        ApiError::DockerResponseServerError { message, .. } => message.clone(),
        ApiError::DockerStreamError { error } => error.clone(),
        other => causes(other),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}

/// Returns the error for a call that failed while `doing` something.
pub(crate) fn api_error(doing: &str, error: ApiError) -> Error {
    let kind = match status(&error) {
        Some(401 | 403) => ErrorKind::PermissionDenied,
        Some(404) => ErrorKind::NotFound,
        Some(_) => ErrorKind::Connect,
        None => own_error(&error).map_or(ErrorKind::Connect, Error::kind),
    };
    let message = match own_error(&error) {
        Some(own) => format!("{doing}: {}", own.message()),
        None => format!("{doing}: {}", message_of(&error)),
    };
    match status(&error) {
        // The source would repeat the engine's words.
        Some(_) => Error::new(kind, message),
        None => Error::new(kind, message).with_source(error),
    }
}

/// Returns our own error from opening a stream, inside those of the layers above it.
pub(crate) fn own_error(error: &ApiError) -> Option<&Error> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(own) = cause.downcast_ref() {
            return Some(own);
        }
        next = cause.source();
    }
    None
}

/// Returns the innermost cause: the HTTP layers above it only say that there was an error.
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
