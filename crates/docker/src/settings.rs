//! The host data for one container, checked before anything connects.

#[cfg(test)]
mod tests;

use hostlink_core::{Data, DataField, DataReader, Result, Target};

use crate::brand::Brand;
pub(crate) use crate::fields::CommitPolicy;
use crate::fields::{self, Given};
use crate::reference::may_be_container;

/// Which container, and how commands run in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) subject: Subject,
    /// `OS/ARCHITECTURE[/VARIANT]`.
    pub(crate) platform: Option<String>,
    /// The engine's address, as configured.
    pub(crate) place: Option<String>,
    /// The given keys that have an effect only for images.
    pub(crate) for_images: Vec<&'static str>,
    /// All other data, as given.
    pub(crate) given: Given,
}

/// The container or image that the data name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An existing container.
    Container(String),
    /// A container to be made from this image.
    Image(String),
    /// A container of this name, or else an image.
    Either(String),
}

impl Settings {
    /// Reads a target's data.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with all faults.
    pub(crate) fn parse(target: &Target, brand: Brand) -> Result<Self> {
        let mut reader = DataReader::new(&target.data);
        reader.refuse_unknown(&format!("{}_", brand.word()), fields::of(brand));
        let given = Given::read(&mut reader);
        let settings = Self {
            subject: subject(&mut reader, &given, &target.data, brand),
            platform: platform(&mut reader, &given),
            place: match brand {
                Brand::Docker => given.host.clone(),
                Brand::Podman => given.socket.clone(),
            },
            for_images: for_images(&target.data, given.commit),
            given,
        };
        contradictions(&mut reader, &settings, &target.data);
        reader.finish().map_err(|error| error.with_target(&target.name))?;
        Ok(settings)
    }
}

fn subject(reader: &mut DataReader<'_>, given: &Given, data: &Data, brand: Brand) -> Subject {
    let Given { identifier, container_id, image, .. } = given;
    if let Some(container) = container_id.as_deref().filter(|id| !may_be_container(id)) {
        let problem = format!("{container:?} is an image's name: is it docker_image?");
        reader.fault(fields::CONTAINER_ID.key, problem);
    }
    for (field, found) in [(fields::CONTAINER_ID, container_id), (fields::IMAGE, image)] {
        if let (Some(either), Some(found)) = (identifier, found)
            && either != found
        {
            let problem =
                format!("it is {found}, and docker_identifier is {either}: leave one out");
            reader.fault(field.key, problem);
        }
    }
    match (container_id.clone(), image.clone(), identifier.clone()) {
        (Some(container), Some(_), _) => {
            let problem = "docker_container_id is set too: leave one of them out";
            reader.fault(fields::IMAGE.key, problem);
            Subject::Container(container)
        }
        (Some(container), None, _) => Subject::Container(container),
        (None, Some(image), _) => Subject::Image(image),
        (None, None, Some(either)) => Subject::Either(either),
        (None, None, None) => {
            let names = [fields::IDENTIFIER, fields::CONTAINER_ID, fields::IMAGE];
            if names.iter().all(|field| data.get(field.key).is_none()) {
                let word = brand.word();
                let problem = format!(
                    "no container is named: write @{word}/NAME, docker_container_id or docker_image"
                );
                reader.fault(fields::IDENTIFIER.key, problem);
            }
            Subject::Either(String::new())
        }
    }
}

fn platform(reader: &mut DataReader<'_>, given: &Given) -> Option<String> {
    let (platform, architecture) = match (given.platform.clone(), given.architecture.as_deref()) {
        (Some(platform), Some(architecture)) => (platform, architecture),
        (None, Some(architecture)) => return Some(format!("linux/{architecture}")),
        (platform, None) => return platform,
    };
    match platform.split_once('/').map(|(_, said)| said) {
        None => return Some(format!("{platform}/{architecture}")),
        Some(said) if said == architecture || said.split('/').next() == Some(architecture) => {}
        Some(said) => {
            let problem = format!("docker_platform says {said}: leave one of them out");
            reader.fault(fields::ARCHITECTURE.key, problem);
        }
    }
    Some(platform)
}

/// An existing container is never committed, so `docker_commit: never` has no effect of its own.
fn for_images(data: &Data, commit: CommitPolicy) -> Vec<&'static str> {
    let is_never = commit == CommitPolicy::Never;
    let is_asked = |field: &DataField| field.key != fields::COMMIT.key || !is_never;
    given_for_images(data).filter(is_asked).map(|field| field.key).collect()
}

fn given_for_images(data: &Data) -> impl Iterator<Item = DataField> {
    let of_image = [fields::PLATFORM, fields::ARCHITECTURE, fields::COMMIT, fields::TAG];
    of_image.into_iter().filter(|field| data.get(field.key).is_some())
}

fn contradictions(reader: &mut DataReader<'_>, settings: &Settings, data: &Data) {
    let Settings { subject, given, .. } = settings;
    // With an image beside the container, one of the two has been refused.
    if matches!(subject, Subject::Container(_)) && given.image.is_none() {
        for field in given_for_images(data) {
            reader.fault(field.key, "it is for images, and docker_container_id names a container");
        }
    }
    if given.sudo_password.is_some() && !given.sudo {
        reader.needs(fields::SUDO_PASSWORD.key, fields::SUDO.key);
    }
    if given.tag.is_some() && given.commit == CommitPolicy::Never {
        reader.fault(fields::TAG.key, "docker_commit is never: there will be no image to name");
    }
}
