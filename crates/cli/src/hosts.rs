//! The hosts that TARGETS names.

use hostlink::inventory::{Config, Inventory, Word, words};
use hostlink::{Context, Registry, Result};

use crate::explain::usage;
use crate::invocation::{Action, Invocation};
use crate::outcome::Targets;
use crate::{data, descriptors};

/// Returns the hosts of an invocation, with their groups and data. It queries connectors that list
/// hosts, and connects to no host.
pub(crate) async fn inventory(
    registry: &Registry,
    invocation: &Invocation,
    context: &Context,
) -> Result<Inventory> {
    data::check_keys(&invocation.data, registry)?;
    let mut builder = Inventory::builder().targets(&invocation.targets)?;
    builder = builder.override_data(&invocation.data).override_data(invocation.login.given());
    // It is no data of the hosts, so it is not shown.
    if !matches!(invocation.action, Action::Inventory { .. }) {
        builder = builder.default_data(&invocation.login.of_environment());
    }
    builder = builder.config(Config {
        connect_timeout: Some(invocation.connect_timeout),
        parallel: descriptors::fitting(invocation.parallel),
        ..Config::default()
    });
    for path in &invocation.group_data {
        builder = builder.group_data(path);
    }
    let (limit, exclude) = (&invocation.limit, &invocation.exclude);
    let chosen = limit.is_some() || exclude.is_some();
    for pattern in limit.iter().cloned() {
        builder = builder.limit(pattern);
    }
    for pattern in exclude.iter().cloned() {
        builder = builder.exclude(pattern);
    }
    let inventory = builder.build(registry, context).await?;
    if inventory.hosts().len() == 0 {
        return Err(usage(match chosen {
            true => "--limit and --exclude leave no host",
            false => "TARGETS names no host",
        }));
    }
    Ok(inventory)
}

/// Checks that the hosts can be used, as far as possible without connecting, and returns what
/// TARGETS stands for.
pub(crate) fn check(
    registry: &Registry,
    invocation: &Invocation,
    inventory: &Inventory,
) -> Result<Targets> {
    let count = inventory.hosts().len();
    match invocation.action.only_one() {
        Some(word) if count > 1 => {
            Err(usage(format!("{word} is for one target, but TARGETS names {count}")))
        }
        Some(_) => Ok(Targets::One),
        None if count > 1 => Ok(Targets::Many),
        None => stands_for(registry, &invocation.targets, inventory),
    }
}

/// One target is a single name of a host, and not of what lists hosts, today perhaps only one.
fn stands_for(registry: &Registry, targets: &str, inventory: &Inventory) -> Result<Targets> {
    let mut words = words(targets)?;
    words.dedup();
    let Ok([Word::Name(name)]) = <[Word; 1]>::try_from(words) else {
        return Ok(Targets::Many);
    };
    let is_host = inventory.host(&name).is_some()
        || name.starts_with('@')
            && name.contains('/')
            && !registry.connector_of(&name)?.about().only_lists();
    Ok(if is_host { Targets::One } else { Targets::Many })
}
