//! Removes what killed runs have left on an engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::errors::Error as ApiError;
use serde_json::Value;

use super::made;
use super::owner::{Fate, HALF_MADE_LABEL, OWNER_LABEL, Owner, RUN_LABEL};
use crate::engine::Engine;

/// An intermediate image that is older than this is abandoned.
const HALF_MADE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes containers and intermediate images of this machine's ended processes. What cannot be
/// removed is left to the next run.
///
/// Labels are inherited: by images that a user commits from our containers, and by containers of
/// these. Names are not, so a container is ours only if its name matches too. Copies of a machine
/// share its ID: a container of another boot is removed only if it does not run.
pub(super) async fn run(engine: &Engine, me: &Owner) -> Result<(), ApiError> {
    let fate = |labels: &Value, label: &str| {
        let owner = labels[label].as_str().and_then(Owner::parse);
        owner.map_or(Fate::Unknown, |owner| me.knows_of(&owner))
    };
    for container in engine.containers().await? {
        let labels = &container["Labels"];
        let name = made::name(labels[RUN_LABEL].as_str().unwrap_or_default());
        let mut names = container["Names"].as_array().into_iter().flatten();
        let is_ours =
            names.any(|it| it.as_str().is_some_and(|it| it.trim_start_matches('/') == name));
        let is_over = match fate(labels, OWNER_LABEL) {
            Fate::Dead => true,
            Fate::OfAnotherBoot => container["State"] != "running",
            Fate::Unknown => false,
        };
        if let (true, true, Some(id)) = (is_ours, is_over, container["Id"].as_str()) {
            let _ = engine.remove_container(id).await;
        }
    }
    for image in engine.images(Some(HALF_MADE_LABEL)).await? {
        let is_over = match fate(&image["Labels"], HALF_MADE_LABEL) {
            Fate::Dead => true,
            Fate::OfAnotherBoot => {
                image["Created"].as_i64().is_some_and(|created| age(created) > HALF_MADE_LIMIT)
            }
            Fate::Unknown => false,
        };
        if let (true, Some(id)) = (is_over, image["Id"].as_str()) {
            let _ = engine.remove_image(id).await;
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
