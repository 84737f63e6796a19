//! Values that must not be shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret wherever one would be shown.
pub const MASK: &str = "***";

/// A password, a passphrase, a token.
///
/// `Debug` and `Display` show [`MASK`]; the memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself. What is made of it is the caller's to keep safe.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The text with every one of the secrets masked.
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
