//! Removes what killed runs have left on an engine.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::errors::Error as ApiError;
use bollard::query_parameters::{ListImagesOptions, RemoveContainerOptions, RemoveImageOptions};

use super::made;
use super::owner::{Fate, HALF_MADE_LABEL, OWNER_LABEL, Owner, RUN_LABEL};
use crate::engine::{CALL_LIMIT, Engine, in_time};

/// An intermediate image that is older than this is abandoned.
const HALF_MADE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes containers and intermediate images of this machine's ended processes. What cannot be
/// removed is left to the next run.
///
/// Labels are inherited: by images that a user commits from our containers, and by containers of
/// these. Names are not, so a container is ours only if its name matches too. Copies of a machine
/// share its ID: a container of another boot is removed only if it does not run.
pub(super) async fn run(engine: &Engine, me: &Owner) -> Result<(), ApiError> {
    let fate = |labels: &HashMap<String, String>, label: &str| {
        let owner = labels.get(label).and_then(|label| Owner::parse(label));
        owner.map_or(Fate::Unknown, |owner| me.knows_of(&owner))
    };
    let filters = |label: &str| Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    for mut container in engine.containers().await? {
        let labels = serde_json::from_value(container["Labels"].take()).unwrap_or_default();
        let name = made::name(HashMap::get(&labels, RUN_LABEL).map_or("", String::as_str));
        let mut names = container["Names"].as_array().into_iter().flatten();
        let is_ours =
            names.any(|it| it.as_str().is_some_and(|it| it.trim_start_matches('/') == name));
        let is_over = match fate(&labels, OWNER_LABEL) {
            Fate::Dead => true,
            Fate::OfAnotherBoot => container["State"] != "running",
            Fate::Unknown => false,
        };
        if let (true, true, Some(id)) = (is_ours, is_over, container["Id"].as_str()) {
            let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            let _ = in_time(CALL_LIMIT, engine.api().remove_container(id, Some(options))).await;
        }
    }
    let options =
        ListImagesOptions { all: false, filters: filters(HALF_MADE_LABEL), ..Default::default() };
    for image in in_time(CALL_LIMIT, engine.api().list_images(Some(options))).await? {
        let is_over = match fate(&image.labels, HALF_MADE_LABEL) {
            Fate::Dead => true,
            Fate::OfAnotherBoot => age(image.created) > HALF_MADE_LIMIT,
            Fate::Unknown => false,
        };
        if is_over {
            let options = RemoveImageOptions { force: true, noprune: true, ..Default::default() };
            let _ = in_time(CALL_LIMIT, engine.api().remove_image(&image.id, Some(options), None))
                .await;
        }
    }
    Ok(())
}

/// Returns how long ago this was, from seconds since 1970.
fn age(created: i64) -> Duration {
    let created = Duration::from_secs(u64::try_from(created).unwrap_or(0));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(created)
}
