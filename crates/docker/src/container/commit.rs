//! Makes an image of a container of ours, with the configuration of the image that it came from.
//!
//! The engine gives a committed image the container's own labels too, and none of its calls takes one away. So the
//! commit is only a step: an image with the same layers and the right configuration is loaded after it, in an archive
//! that has no layers, since the engine has them.

use hostlink_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::found::Image;
use super::owner::{HALF_MADE_LABEL, OWNER_LABEL, Owner, RUN_LABEL};
use crate::engine::{Engine, LONG_LIMIT, told};

/// An image that was made.
pub(super) struct Committed {
    pub(super) id: String,
    /// Our labels could not be taken away, and are empty.
    pub(super) has_labels: bool,
}

/// Commits the container.
///
/// # Errors
///
/// The engine refuses: there is no new image.
pub(super) async fn commit(
    engine: &Engine,
    container: &str,
    origin: &Image,
    owner: Option<&Owner>,
    tag: Option<&(String, String)>,
) -> Result<Committed> {
    let owner = owner.map(Owner::label).unwrap_or_default();
    let step = commit_with(engine, container, origin, Some(&owner)).await?;
    let loaded = load(engine, &step, origin).await;
    let committed = match loaded {
        Some(id) => Committed { id, has_labels: false },
        None => {
            Committed { id: commit_with(engine, container, origin, None).await?, has_labels: true }
        }
    };
    let options = bollard::query_parameters::RemoveImageOptions {
        force: true,
        noprune: true,
        ..Default::default()
    };
    let removed = engine.api().remove_image(&step, Some(options), None).await;
    removed.map_err(|error| told("cannot remove a half-made image", error))?;
    if let Some((repository, tag)) = tag {
        let options = bollard::query_parameters::TagImageOptions {
            repo: Some(repository.clone()),
            tag: Some(tag.clone()),
        };
        let tagged = engine.api().tag_image(&committed.id, Some(options)).await;
        tagged.map_err(|error| told(&format!("cannot name the image {}", committed.id), error))?;
    }
    Ok(committed)
}

/// Has the engine commit; `half_made`: who is to remove it again.
async fn commit_with(
    engine: &Engine,
    container: &str,
    origin: &Image,
    half_made: Option<&str>,
) -> Result<String> {
    let mut config = origin.config.as_object().cloned().unwrap_or_default();
    // What is missing the engine takes from the container.
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
    let path = format!("/commit?container={container}");
    let made = engine.post(&path, &Value::Object(config), LONG_LIMIT).await;
    let made = made.map_err(|error| told("cannot commit the container", error))?;
    made["Id"].as_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Connect, "cannot commit the container: the engine named no image")
    })
}

/// Loads an image with the layers of `step` and the configuration of `origin`; `None` where the engine does not take it.
async fn load(engine: &Engine, step: &str, origin: &Image) -> Option<String> {
    let image = engine.get(&format!("/images/{step}/json")).await.ok()?;
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
    config.insert("config".to_owned(), origin.config.clone());
    config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": layers }));
    config.insert("history".to_owned(), Value::Array(told_history(&history, layers.len())?));
    let archive = archive(&Value::Object(config), layers.len())?;
    let answer = engine.load(archive).await.ok()?;
    let (_, id) = answer.split_once("Loaded image ID: ")?;
    let id: String = id.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == ':').collect();
    engine.get(&format!("/images/{id}/json")).await.ok().map(|_| id)
}

/// The steps that made the image, oldest first, as its configuration tells them. The engine does not say which of them
/// made no layer: as many of the smallest ones as there are too many, oldest first.
fn told_history(history: &Value, layers: usize) -> Option<Vec<Value>> {
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

/// The archive that `docker load` reads, without the layers.
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
        let told = told_history(&history, 2).unwrap();
        assert_eq!(
            Value::Array(told),
            json!([{ "created_by": "RUN y" }, { "created_by": "CMD x", "empty_layer": true }, {}])
        );
        assert_eq!(told_history(&history, 4), None);
        assert_eq!(told_history(&history, 0), None);
    }
}
