//! Values that must not be shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The text that is shown instead of a secret.
pub const MASK: &str = "***";

/// A password, a passphrase, a token.
///
/// `Debug` and `Display` show [`MASK`]. Dropping it overwrites the memory.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Returns a secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Returns the text. The caller must keep copies of it safe.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Masks every secret in a text.
pub(crate) fn masked(text: &str, secrets: &[Secret]) -> String {
    let shown = |text: String, secret: &Secret| match secret.expose() {
        "" => text,
        secret => text.replace(secret, MASK),
    };
    secrets.iter().fold(text.to_owned(), shown)
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
