//! Removes what runs have left on an engine that were killed.

use std::collections::HashMap;

use bollard::errors::Error as ApiError;
use bollard::query_parameters::{
    ListContainersOptions, ListImagesOptions, RemoveContainerOptions, RemoveImageOptions,
};

use super::owner::{HALF_MADE_LABEL, OWNER_LABEL, Owner};
use crate::engine::Engine;

/// Removes containers and half-made images of this machine's processes that are gone. What cannot be removed is left
/// to the next run.
pub(super) async fn run(engine: &Engine, me: &Owner) -> Result<(), ApiError> {
    let is_dead = |labels: &HashMap<String, String>, label: &str| {
        let owner = labels.get(label).and_then(|label| Owner::parse(label));
        owner.is_some_and(|owner| me.knows_dead(&owner))
    };
    let filters = |label: &str| Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    let options =
        ListContainersOptions { all: true, filters: filters(OWNER_LABEL), ..Default::default() };
    for container in engine.api().list_containers(Some(options)).await? {
        let dead = container.labels.is_some_and(|labels| is_dead(&labels, OWNER_LABEL));
        if let (true, Some(id)) = (dead, container.id) {
            let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            let _ = engine.api().remove_container(&id, Some(options)).await;
        }
    }
    let options =
        ListImagesOptions { all: false, filters: filters(HALF_MADE_LABEL), ..Default::default() };
    for image in engine.api().list_images(Some(options)).await? {
        if is_dead(&image.labels, HALF_MADE_LABEL) {
            let options = RemoveImageOptions { force: true, noprune: true, ..Default::default() };
            let _ = engine.api().remove_image(&image.id, Some(options), None).await;
        }
    }
    Ok(())
}
