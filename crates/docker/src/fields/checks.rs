//! Checks of single values. A problem starts with the value.

use crate::reference::{check_identifier, check_new_image};

pub(super) fn identifier(text: &str) -> Result<String, String> {
    check_identifier(text).map(|()| text.to_owned()).map_err(|problem| refused(text, &problem))
}

pub(super) fn user(text: &str) -> Result<String, String> {
    let is_name =
        |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_control() || c.is_whitespace());
    let is_user = text.split(':').count() <= 2 && text.split(':').all(is_name);
    good(text, is_user, "write USER or USER:GROUP")
}

pub(super) fn workdir(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && !text.chars().any(char::is_control);
    good(text, is_path, "write a path that starts with /")
}

pub(super) fn platform(text: &str) -> Result<String, String> {
    good(text, matches!(parts(text), Some(1..=3)), "write OS/ARCHITECTURE, as linux/arm64")
}

pub(super) fn architecture(text: &str) -> Result<String, String> {
    good(text, matches!(parts(text), Some(1..=2)), "write an architecture, as arm64")
}

/// Checks the name of an image, and its tag.
pub(super) fn new_image(text: &str) -> Result<(String, String), String> {
    let (repository, tag) = match text.rsplit_once(':') {
        // The colon belongs to a registry's port.
        Some((_, tag)) if tag.contains('/') => (text, "latest"),
        Some((repository, tag)) => (repository, tag),
        None => (text, "latest"),
    };
    check_new_image(repository, tag).map_err(|problem| refused(text, &problem))?;
    Ok((repository.to_owned(), tag.to_owned()))
}

/// Returns how many parts there are between slashes, if each can be part of a platform.
fn parts(text: &str) -> Option<usize> {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    text.split('/').all(is_part).then(|| text.split('/').count())
}

fn good(text: &str, is_good: bool, problem: &str) -> Result<String, String> {
    if is_good { Ok(text.to_owned()) } else { Err(refused(text, problem)) }
}

fn refused(text: &str, problem: &str) -> String {
    format!("{text:?}: {problem}")
}
