//! Names that cannot be guessed.

use crate::values::error::{Error, ErrorKind, Result};

/// Returns 32 hexadecimal digits from the system's random source.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] if the system has no random numbers.
pub fn random_hex() -> Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "the system has no random numbers").with_source(error)
    })?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}
