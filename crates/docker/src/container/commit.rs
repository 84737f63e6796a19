//! Commits a container of ours to an image, with the configuration of the image that it was made
//! from.
//!
//! Docker copies the container's own labels to a committed image, and none of its calls removes
//! one. So the commit is an intermediate step: an image with the same layers and the right
//! configuration is loaded after it, from an archive without layers, since the engine has them.
//! Podman does not load such an archive, and only its own API reads the configuration that comes
//! with a commit. The result is compared with the original before it is reported.

use hostlink_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::found::{self, Image};
use super::likeness;
use super::owner::{HALF_MADE_LABEL, OWNER_LABEL, Owner, RUN_LABEL};
use crate::engine::{CALL_LIMIT, Engine, LONG_LIMIT, api_error, in_query, in_time, status};

const DOING: &str = "cannot commit the container, so its changes are lost";

/// An image that was committed.
pub(super) struct Committed {
    pub(super) id: String,
    /// Our labels could not be removed, and are empty.
    pub(super) has_labels: bool,
    /// A half-made image, to be removed.
    step: Option<String>,
}

/// Commits the container.
///
/// # Errors
///
/// If the engine refuses, or makes an image with another configuration: there is no new image.
pub(super) async fn commit(
    engine: &Engine,
    container: &str,
    origin: &Image,
    owner: Option<&Owner>,
) -> Result<Committed> {
    let config = likeness::without_ours(&origin.config);
    let is_podman = is_podman(engine).await.map_err(|error| api_error(DOING, error))?;
    if is_podman {
        let id = commit_on_podman(engine, container, &config).await?;
        keep_if_like(engine, &id, &config, true).await?;
        return Ok(Committed { id, has_labels: true, step: None });
    }
    let owner = owner.map(Owner::label).unwrap_or_default();
    let step = commit_with(engine, container, &config, Some(&owner)).await?;
    if let Some(id) = load(engine, &step, &config).await
        && keep_if_like(engine, &id, &config, false).await.is_ok()
    {
        return Ok(Committed { id, has_labels: false, step: Some(step) });
    }
    let id = commit_with(engine, container, &config, None).await?;
    keep_if_like(engine, &id, &config, false).await?;
    Ok(Committed { id, has_labels: true, step: Some(step) })
}

/// Names the image.
///
/// # Errors
///
/// If the engine refuses: the image exists, without the name.
pub(super) async fn name(
    engine: &Engine,
    committed: &Committed,
    (repository, tag): &(String, String),
) -> Result<()> {
    let options = bollard::query_parameters::TagImageOptions {
        repo: Some(repository.clone()),
        tag: Some(tag.clone()),
    };
    let tagged = in_time(CALL_LIMIT, engine.api().tag_image(&committed.id, Some(options))).await;
    let doing =
        || format!("the image {} was made, but cannot be named {repository}:{tag}", committed.id);
    tagged.map_err(|error| api_error(&doing(), error))
}

/// Removes the intermediate image.
///
/// # Errors
///
/// If it still exists.
pub(super) async fn clear(engine: &Engine, committed: &Committed) -> Result<()> {
    match &committed.step {
        Some(step) => remove(engine, step).await,
        None => Ok(()),
    }
}

async fn remove(engine: &Engine, image: &str) -> Result<()> {
    let options = bollard::query_parameters::RemoveImageOptions {
        force: true,
        noprune: true,
        ..Default::default()
    };
    let removed = in_time(CALL_LIMIT, engine.api().remove_image(image, Some(options), None)).await;
    removed
        .map(|_| ())
        .map_err(|error| api_error(&format!("cannot remove the image {image}"), error))
}

/// Returns whether Podman answers, whichever connector was used.
async fn is_podman(engine: &Engine) -> Result<bool, bollard::errors::Error> {
    let version = engine.get("/version").await?;
    let components = version["Components"].as_array();
    Ok(components.is_some_and(|all| all.iter().any(|part| part["Name"] == "Podman Engine")))
}

/// Removes an image whose configuration differs from its origin's.
///
/// # Errors
///
/// If it differed.
async fn keep_if_like(engine: &Engine, id: &str, origin: &Value, is_podman: bool) -> Result<()> {
    let image = found::inspect_image(engine, id).await;
    let image =
        image.map_err(|error| api_error(&format!("cannot look at the new image {id}"), error))?;
    let differs = likeness::differences(origin, &image["Config"], is_podman);
    if differs.is_empty() {
        return Ok(());
    }
    let removed = remove(engine, id).await;
    let is_left = if removed.is_ok() { "was removed again" } else { "cannot be removed" };
    let differs = differs.join(", ");
    let message = format!(
        "{DOING}: the configuration of the new image ({id}) differs from its origin's ({differs}); the new image \
         {is_left}"
    );
    Err(Error::new(ErrorKind::Connect, message))
}

/// The container has the rest of the configuration from its image.
async fn commit_on_podman(engine: &Engine, container: &str, config: &Value) -> Result<String> {
    let list = |key: &str| if config[key].is_array() { config[key].clone() } else { json!([]) };
    let changes = [
        format!("ENTRYPOINT {}", list("Entrypoint")),
        format!("CMD {}", list("Cmd")),
        format!("LABEL {RUN_LABEL}=\"\""),
        format!("LABEL {OWNER_LABEL}=\"\""),
    ];
    let changes: String =
        changes.iter().map(|change| format!("&changes={}", in_query(change))).collect();
    // Only Docker's format has health checks.
    let path =
        format!("/v4.0.0/libpod/commit?container={container}&format=docker&pause=true{changes}");
    let id = made(engine, &path, &Value::Null).await?;
    Ok(if id.starts_with("sha256:") { id } else { format!("sha256:{id}") })
}

/// Commits, a second time if the engine failed without refusing: the container will not exist for a
/// later attempt.
async fn made(engine: &Engine, path: &str, body: &Value) -> Result<String> {
    let mut answer = engine.post(path, body, LONG_LIMIT).await;
    if answer.as_ref().is_err_and(|error| status(error).is_none_or(|status| status >= 500)) {
        answer = engine.post(path, body, LONG_LIMIT).await;
    }
    let answer = answer.map_err(|error| api_error(DOING, error))?;
    answer["Id"].as_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Connect, format!("{DOING}: the engine returned no image ID"))
    })
}

/// Commits; `half_made` is the label of the intermediate image, which names who removes it.
async fn commit_with(
    engine: &Engine,
    container: &str,
    config: &Value,
    half_made: Option<&str>,
) -> Result<String> {
    let mut config = config.as_object().cloned().unwrap_or_default();
    // The engine takes missing values from the container.
    if config.get("Entrypoint").is_none_or(Value::is_null) {
        config.insert("Entrypoint".to_owned(), json!([]));
    }
    let mut labels = config.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default();
    for label in [RUN_LABEL, OWNER_LABEL] {
        labels.entry(label).or_insert(json!(""));
    }
    if let Some(owner) = half_made {
        labels.insert(HALF_MADE_LABEL.to_owned(), json!(owner));
    }
    config.insert("Labels".to_owned(), Value::Object(labels));
    made(engine, &format!("/commit?container={container}"), &Value::Object(config)).await
}

/// Loads an image with the layers of `step` and the configuration `origin`; `None` if the engine
/// does not accept it.
async fn load(engine: &Engine, step: &str, origin: &Value) -> Option<String> {
    let image = found::inspect_image(engine, step).await.ok()?;
    let history = engine.get(&format!("/images/{step}/history")).await.ok()?;
    let layers = image["RootFS"]["Layers"].as_array()?;
    let mut config = Map::new();
    for (key, from) in [
        ("architecture", "Architecture"),
        ("os", "Os"),
        ("variant", "Variant"),
        ("created", "Created"),
    ] {
        if let Some(text) = image[from].as_str().filter(|text| !text.is_empty()) {
            config.insert(key.to_owned(), json!(text));
        }
    }
    config.insert("config".to_owned(), origin.clone());
    config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": layers }));
    config.insert("history".to_owned(), Value::Array(recorded_history(&history, layers.len())?));
    let archive = archive(&Value::Object(config), layers.len())?;
    let answer = engine.load(archive).await.ok()?;
    let (_, id) = answer.split_once("Loaded image ID: ")?;
    let id: String = id.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == ':').collect();
    found::inspect_image(engine, &id).await.ok().map(|_| id)
}

/// Returns the steps that made the image, oldest first, from its configuration. The engine does not
/// say which of them made no layer: the smallest ones are taken, oldest first, as many as there are
/// more steps than layers.
fn recorded_history(history: &Value, layers: usize) -> Option<Vec<Value>> {
    let steps = history.as_array()?;
    let without_layer = steps.len().checked_sub(layers)?;
    let empty: Vec<usize> = (0..steps.len())
        .rev()
        .filter(|at| steps[*at]["Size"].as_i64() == Some(0))
        .take(without_layer)
        .collect();
    if empty.len() < without_layer {
        return None;
    }
    let told = steps.iter().enumerate().rev().map(|(at, step)| {
        let mut told = Map::new();
        for (key, from) in [("created_by", "CreatedBy"), ("comment", "Comment")] {
            if let Some(text) = step[from].as_str().filter(|text| !text.is_empty()) {
                told.insert(key.to_owned(), json!(text));
            }
        }
        if empty.contains(&at) {
            told.insert("empty_layer".to_owned(), json!(true));
        }
        Value::Object(told)
    });
    Some(told.collect())
}

/// Returns the archive for `docker load`, without the layers.
fn archive(config: &Value, layers: usize) -> Option<Vec<u8>> {
    let names: Vec<String> = (0..layers).map(|number| format!("{number}/layer.tar")).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": null, "Layers": names }]);
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in [("config.json", config), ("manifest.json", &manifest)] {
        let content = content.to_string();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes()).ok()?;
    }
    archive.into_inner().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_without_a_layer_are_as_many_as_the_layers_leave() {
        let history = json!([
            { "CreatedBy": "", "Size": 0 },
            { "CreatedBy": "CMD x", "Size": 0 },
            { "CreatedBy": "RUN y", "Size": 7 },
        ]);
        let told = recorded_history(&history, 2).unwrap();
        assert_eq!(
            Value::Array(told),
            json!([{ "created_by": "RUN y" }, { "created_by": "CMD x", "empty_layer": true }, {}])
        );
        assert_eq!(recorded_history(&history, 4), None);
        assert_eq!(recorded_history(&history, 0), None);
    }
}
