//! Finds the container, or the image to make one from.

use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::ListImagesOptions;
use hostlink_core::{Error, ErrorKind, Result, nearest};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::engine::{CALL_LIMIT, Engine, api_error, in_query, in_time, message_of, status};
use crate::reference;
use crate::settings::{Settings, Subject};

/// Time limit for a registry to send something.
const PULL_SILENCE: Duration = Duration::from_secs(60);

/// How long to wait for an image that is being written, and how often to check. Its layers are
/// complete by then: only a file of some kilobytes is missing.
const WRITING_LIMIT: Duration = Duration::from_secs(10);
const WRITING_INTERVAL: Duration = Duration::from_millis(100);

/// The object that a target's data names.
pub(super) enum Found {
    Container(Box<ContainerInspectResponse>),
    Image(Image),
}

/// An image that the engine has.
pub(super) struct Image {
    pub(super) id: String,
    /// The `Config` of `docker image inspect`, as the engine writes it.
    pub(super) config: Value,
}

/// Finds the container or image. A missing image is pulled.
///
/// # Errors
///
/// If there is none; the error has the nearest names.
pub(super) async fn find(engine: &Engine, settings: &Settings) -> Result<Found> {
    match &settings.subject {
        Subject::Container(name) => existing(engine, name).await.map(Found::Container),
        Subject::Image(name) => image(engine, name, settings, false).await.map(Found::Image),
        Subject::Either(name) => {
            if reference::may_be_container(name)
                && let Some(found) = container(engine, name).await?
                && (is_exact(&found, name) || local_image(engine, name).await?.is_none())
            {
                return Ok(Found::Container(found));
            }
            image(engine, name, settings, true).await.map(Found::Image)
        }
    }
}

/// Returns whether a text is a container's name or an ID as docker prints it. A shorter prefix of
/// an ID may be an image's name by chance, such as `cafe`.
fn is_exact(found: &ContainerInspectResponse, text: &str) -> bool {
    let is_name = found.name.as_deref().is_some_and(|name| name.trim_start_matches('/') == text);
    is_name || text.len() >= 12
}

/// Finds a container.
///
/// # Errors
///
/// If there is none; the error has the nearest names.
pub(super) async fn existing(engine: &Engine, name: &str) -> Result<Box<ContainerInspectResponse>> {
    match container(engine, name).await? {
        Some(found) => Ok(found),
        None => Err(no_container(engine, name).await),
    }
}

async fn container(engine: &Engine, name: &str) -> Result<Option<Box<ContainerInspectResponse>>> {
    match engine.container(name).await {
        Ok(found) => Ok(Some(Box::new(found))),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(api_error(&format!("cannot inspect the container {name}"), error)),
    }
}

async fn image(
    engine: &Engine,
    name: &str,
    settings: &Settings,
    may_be_container: bool,
) -> Result<Image> {
    let found = local_image(engine, name).await?;
    let fits = |image: &Value| settings.platform.as_deref().is_none_or(|it| is_for(image, it));
    let found = match found {
        Some(image) if fits(&image) => image,
        _ => pull(engine, name, settings, may_be_container).await?,
    };
    if !fits(&found) {
        let wanted = settings.platform.as_deref().unwrap_or_default();
        let message = format!("the image {name} is for {}, not {wanted}", platform_of(&found));
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    let id = found["Id"].as_str().unwrap_or(name).to_owned();
    Ok(Image { id, config: found["Config"].clone() })
}

async fn local_image(engine: &Engine, name: &str) -> Result<Option<Value>> {
    match inspect_image(engine, name).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(api_error(&format!("cannot inspect the image {name}"), error)),
    }
}

/// Inspects an image.
///
/// To do so, Podman also reads the images with the same layers, and fails while one of them is
/// being written (<https://github.com/containers/podman/issues/12582>). This waits until it is
/// complete.
pub(super) async fn inspect_image(engine: &Engine, name: &str) -> Result<Value, ApiError> {
    let deadline = Instant::now() + WRITING_LIMIT;
    loop {
        let answer = engine.get(&format!("/images/{name}/json")).await;
        let is_over = Instant::now() >= deadline;
        match answer {
            Err(error) if is_being_written(&error) && !is_over => sleep(WRITING_INTERVAL).await,
            answer => return answer,
        }
    }
}

fn is_being_written(error: &ApiError) -> bool {
    status(error) == Some(500)
        && message_of(error).contains("locating item named \"manifest\" for image")
}

fn platform_of(image: &Value) -> String {
    let part = |key: &str| image[key].as_str().filter(|text| !text.is_empty());
    let parts = [part("Os"), part("Architecture"), part("Variant")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// Returns whether an image is for a platform. Variants are compared only if both name one.
fn is_for(image: &Value, platform: &str) -> bool {
    let has = platform_of(image);
    has.split('/').zip(platform.split('/')).all(|(has, wanted)| has == wanted)
}

/// Pulls an image. A registry has no time limit except for silence.
async fn pull(
    engine: &Engine,
    name: &str,
    settings: &Settings,
    may_be_container: bool,
) -> Result<Value> {
    let bare_id = name.starts_with("sha256:");
    let last = name.rsplit('/').next().unwrap_or(name);
    // Without a tag the engine would pull all of them.
    let tag = if last.contains([':', '@']) { "" } else { "&tag=latest" };
    let platform = settings.platform.as_deref().map(|it| format!("&platform={}", in_query(it)));
    let platform = platform.unwrap_or_default();
    let path = format!("/images/create?fromImage={}{tag}{platform}", in_query(name));
    let failed = match bare_id {
        true => None,
        false => engine.follow(&path, PULL_SILENCE).await.err().map(|error| message_of(&error)),
    };
    match local_image(engine, name).await? {
        Some(image) if failed.is_none() => Ok(image),
        _ => Err(no_image(engine, name, may_be_container, failed).await),
    }
}

async fn no_container(engine: &Engine, name: &str) -> Error {
    let hint = nearest::hint(name, container_names(engine).await.iter().map(String::as_str));
    let message = format!("there is no container {name}{hint}");
    Error::new(ErrorKind::NotFound, message)
}

async fn no_image(
    engine: &Engine,
    name: &str,
    may_be_container: bool,
    pull: Option<String>,
) -> Error {
    let what = if may_be_container && reference::may_be_container(name) {
        "container or image"
    } else {
        "image"
    };
    let mut known = image_names(engine).await;
    if may_be_container {
        known.extend(container_names(engine).await);
    }
    let hint = nearest::hint(name, known.iter().map(String::as_str));
    let pulled = pull.map(|why| format!(", and it cannot be pulled: {why}")).unwrap_or_default();
    Error::new(ErrorKind::NotFound, format!("there is no {what} {name}{hint}{pulled}"))
}

async fn container_names(engine: &Engine) -> Vec<String> {
    let listed = engine.containers().await.unwrap_or_default();
    let names = listed.iter().flat_map(|found| found["Names"].as_array().into_iter().flatten());
    let names = names.filter_map(Value::as_str);
    names.map(|name| name.trim_start_matches('/').to_owned()).collect()
}

async fn image_names(engine: &Engine) -> Vec<String> {
    let listed = in_time(CALL_LIMIT, engine.api().list_images(None::<ListImagesOptions>))
        .await
        .unwrap_or_default();
    let tags = listed.into_iter().flat_map(|image| image.repo_tags);
    tags.map(|tag| tag.strip_suffix(":latest").unwrap_or(&tag).to_owned()).collect()
}
