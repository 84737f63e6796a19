//! What host data says about one container, checked before anything connects.

mod reading;
#[cfg(test)]
mod tests;

use hostlink_core::{FromValue, Result, Secret, Target, Value};

use self::reading::Reading;
use crate::brand::Brand;
use crate::fields;

/// Which container, and how commands run in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) subject: Subject,
    /// `USER[:GROUP]` in the container, if not its own.
    pub(crate) user: Option<String>,
    /// An absolute path in the container.
    pub(crate) workdir: Option<String>,
    /// `OS/ARCHITECTURE[/VARIANT]`.
    pub(crate) platform: Option<String>,
    /// Where the engine is, as it was written.
    pub(crate) place: Option<String>,
    /// The engine is reached by its command, under sudo.
    pub(crate) sudo: bool,
    /// What this sudo is given, and none in the container.
    pub(crate) sudo_password: Option<Secret>,
    pub(crate) commit: CommitPolicy,
    /// The new image's name, and its tag.
    pub(crate) tag: Option<(String, String)>,
    /// The keys that are given and ask for something that only images have.
    pub(crate) for_images: Vec<&'static str>,
}

/// What the container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A container that exists.
    Container(String),
    /// One that is made of this image.
    Image(String),
    /// A container of this name or else an image.
    Either(String),
}

/// When a container that was made of an image becomes an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitPolicy {
    Always,
    /// If no command, put or get has failed.
    OnSuccess,
    Never,
}

impl FromValue for CommitPolicy {
    const EXPECTED: &'static str = "always, on-success or never";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            // YAML's yes and no.
            Value::Bool(true) => Some(Self::Always),
            Value::Bool(false) => Some(Self::Never),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "always" | "true" | "yes" => Some(Self::Always),
                "on-success" => Some(Self::OnSuccess),
                "never" | "false" | "no" => Some(Self::Never),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Settings {
    /// Reads a target's data.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with everything that is wrong.
    pub(crate) fn parse(target: &Target, brand: Brand) -> Result<Self> {
        let mut reading = Reading::new(target, brand);
        reading.unknown_keys();
        let mut settings = Self {
            subject: reading.subject(),
            user: reading.user(),
            workdir: reading.workdir(),
            platform: reading.platform(),
            place: reading.get(fields::place(brand)),
            sudo: reading.get(&fields::SUDO).unwrap_or(false),
            sudo_password: reading.get(&fields::SUDO_PASSWORD),
            commit: reading.get(&fields::COMMIT).unwrap_or(CommitPolicy::Always),
            tag: reading.tag(),
            for_images: Vec::new(),
        };
        settings.for_images = reading.for_images(settings.commit);
        reading.contradictions(&settings);
        reading.finish()?;
        Ok(settings)
    }
}
