//! `DataReader` with what the connectors ask of their values.

use hostlink_core::{DataField, DataReader, FromValue, Result, Target};

use super::{CommitPolicy, Settings, Subject};
use crate::brand::Brand;
use crate::{fields, name};

/// Reads one target's data and collects what is wrong with it.
pub(super) struct Reading<'a> {
    target: &'a Target,
    brand: Brand,
    reader: DataReader<'a>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(target: &'a Target, brand: Brand) -> Self {
        Self { target, brand, reader: DataReader::new(&target.data) }
    }

    fn fault(&mut self, field: &DataField, problem: impl Into<String>) {
        self.reader.fault(field.key, problem);
    }

    /// Ends the reading: an error that names the target and has every fault, if there was one.
    pub(super) fn finish(self) -> Result<()> {
        self.reader.finish().map_err(|error| error.with_target(&self.target.name))
    }

    /// A value of a type; one that does not fit is a fault.
    pub(super) fn get<T: FromValue>(&mut self, field: &DataField) -> Option<T> {
        self.reader.get(field)
    }

    /// A text as `check` makes it. What `check` says is wrong follows the value in the fault.
    fn checked<T>(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text: String = self.get(field)?;
        check(&text).map_err(|problem| self.fault(field, format!("{text:?}: {problem}"))).ok()
    }

    /// Refuses keys of this connector's prefix that it does not have.
    pub(super) fn unknown_keys(&mut self) {
        let prefix = format!("{}_", self.brand.word());
        self.reader.refuse_unknown(&prefix, fields::of(self.brand));
    }

    pub(super) fn subject(&mut self) -> Subject {
        let mut named = |field| {
            self.checked(field, |text| name::check_identifier(text).map(|()| text.to_owned()))
        };
        let either = named(&fields::IDENTIFIER);
        let container = named(&fields::CONTAINER_ID);
        let image = named(&fields::IMAGE);
        if let Some(container) = container.as_deref().filter(|id| !name::may_be_container(id)) {
            let problem = format!("{container:?} is an image's name: is it docker_image?");
            self.fault(&fields::CONTAINER_ID, problem);
        }
        let contradicts = |found: &Option<String>| match (&either, found) {
            (Some(either), Some(found)) if either != found => {
                Some(format!("it is {found}, and docker_identifier is {either}: leave one out"))
            }
            _ => None,
        };
        if let Some(problem) = contradicts(&container) {
            self.fault(&fields::CONTAINER_ID, problem);
        }
        if let Some(problem) = contradicts(&image) {
            self.fault(&fields::IMAGE, problem);
        }
        match (container, image, either) {
            (Some(_), Some(_), _) => {
                self.fault(
                    &fields::IMAGE,
                    "there is docker_container_id too: leave one of them out",
                );
                Subject::Either(String::new())
            }
            (Some(container), None, _) => Subject::Container(container),
            (None, Some(image), _) => Subject::Image(image),
            (None, None, Some(either)) => Subject::Either(either),
            (None, None, None) => {
                let nothing = [&fields::IDENTIFIER, &fields::CONTAINER_ID, &fields::IMAGE]
                    .iter()
                    .all(|field| self.target.data.get(field.key).is_none());
                if nothing {
                    let word = self.brand.word();
                    let problem = format!(
                        "no container is named: write @{word}/NAME, docker_container_id or docker_image"
                    );
                    self.fault(&fields::IDENTIFIER, problem);
                }
                Subject::Either(String::new())
            }
        }
    }

    pub(super) fn user(&mut self) -> Option<String> {
        self.checked(&fields::USER, |text| {
            let is_name = |part: &str| {
                !part.is_empty() && !part.chars().any(|c| c.is_control() || c.is_whitespace())
            };
            let is_user = text.split(':').count() <= 2 && text.split(':').all(is_name);
            if is_user { Ok(text.to_owned()) } else { Err("write USER or USER:GROUP".to_owned()) }
        })
    }

    pub(super) fn workdir(&mut self) -> Option<String> {
        self.checked(&fields::WORKDIR, |text| {
            let good = text.starts_with('/') && !text.chars().any(char::is_control);
            if good {
                Ok(text.to_owned())
            } else {
                Err("write a path that starts with /".to_owned())
            }
        })
    }

    pub(super) fn platform(&mut self) -> Option<String> {
        let part = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let parts = |text: &str| text.split('/').all(part).then(|| text.split('/').count());
        let platform = self.checked(&fields::PLATFORM, |text| match parts(text) {
            Some(1..=3) => Ok(text.to_owned()),
            _ => Err("write OS/ARCHITECTURE, as linux/arm64".to_owned()),
        });
        let architecture = self.checked(&fields::ARCHITECTURE, |text| match parts(text) {
            Some(1..=2) => Ok(text.to_owned()),
            _ => Err("write an architecture, as arm64".to_owned()),
        });
        match (platform, architecture) {
            (Some(platform), Some(architecture)) => {
                let said = platform.split_once('/').map(|(_, said)| said.to_owned());
                match said {
                    None => return Some(format!("{platform}/{architecture}")),
                    Some(said) if said == architecture => {}
                    Some(said) if said.split('/').next() == Some(&architecture) => {}
                    Some(said) => {
                        let problem = format!("docker_platform says {said}: leave one of them out");
                        self.fault(&fields::ARCHITECTURE, problem);
                    }
                }
                Some(platform)
            }
            (None, Some(architecture)) => Some(format!("linux/{architecture}")),
            (platform, None) => platform,
        }
    }

    pub(super) fn tag(&mut self) -> Option<(String, String)> {
        self.checked(&fields::TAG, |text| {
            let (repository, tag) = match text.rsplit_once(':') {
                // The colon of a registry's port.
                Some((_, tag)) if tag.contains('/') => (text, "latest"),
                Some((repository, tag)) => (repository, tag),
                None => (text, "latest"),
            };
            name::check_new_image(repository, tag)?;
            Ok((repository.to_owned(), tag.to_owned()))
        })
    }

    /// A container that exists is never committed, so `docker_commit: never` asks for nothing else.
    pub(super) fn for_images(&self, commit: CommitPolicy) -> Vec<&'static str> {
        let is_never = commit == CommitPolicy::Never;
        let is_asked = |field: &DataField| field.key != fields::COMMIT.key || !is_never;
        self.given_for_images().filter(is_asked).map(|field| field.key).collect()
    }

    fn given_for_images(&self) -> impl Iterator<Item = DataField> + use<'a> {
        let data = &self.target.data;
        let of_image = [fields::PLATFORM, fields::ARCHITECTURE, fields::COMMIT, fields::TAG];
        of_image.into_iter().filter(|field| data.get(field.key).is_some())
    }

    pub(super) fn contradictions(&mut self, settings: &Settings) {
        if matches!(settings.subject, Subject::Container(_)) {
            for field in self.given_for_images() {
                self.fault(&field, "it is for images, and docker_container_id names a container");
            }
        }
        if settings.sudo_password.is_some() && !settings.sudo {
            self.fault(&fields::SUDO_PASSWORD, "it counts only with docker_sudo");
        }
        if settings.tag.is_some() && settings.commit == CommitPolicy::Never {
            self.fault(&fields::TAG, "docker_commit is never: there will be no image to name");
        }
    }
}
