//! Which connectors are asked for hosts: not those outside a limit, unless the limit would not be
//! exact without them.

use hostlink_core::{Connector, Registry, Result, TargetName, before_links};

use crate::choice::{Answer, Chooser, Of};
use crate::draft::Draft;
use crate::entry::Entry;
use crate::found::Hosts;

impl Chooser<'_> {
    /// The entries that are looked at, by their indexes.
    pub(crate) fn asked(&self) -> Vec<usize> {
        let (entries, registry) = (&self.known.draft.entries, self.known.registry);
        if self.needs_all() {
            return (0..entries.len()).collect();
        }
        let answer = |name: &str, entry: &Entry| self.may_take(name, &entry.groups, what(entry));
        let asks_all = self.leaves_out_unknown();
        // What narrows is asked if it may make a difference to anything that is left beside it.
        let asks_narrowing = self.narrows_by_listers()
            && entries.iter().any(|(name, entry)| answer(name, entry) == Answer::Maybe);
        let is_asked = |name: &str, entry: &Entry| {
            asks_all
                || reads_a_file(entry)
                || (asks_narrowing && self.narrows_by(name, &entry.groups))
                || answer(name, entry) != Answer::No
        };
        let asks_any = entries.iter().any(|(name, entry)| entry.lists() && is_asked(name, entry));
        let is_wanted = |name: &str, entry: &Entry| match entry.lists() {
            true => is_asked(name, entry),
            false if asks_for_its_way(name, entry, registry) => answer(name, entry) != Answer::No,
            // What is listed may put a host that is known into a group.
            false => asks_any || self.takes(name, &entry.groups),
        };
        let wanted = entries.iter().enumerate().filter(|(_, (name, entry))| is_wanted(name, entry));
        wanted.map(|(index, _)| index).collect()
    }
}

fn what(entry: &Entry) -> Of {
    match entry.lists() {
        false => Of::Host,
        true if reads_a_file(entry) => Of::File,
        true => Of::Lister,
    }
}

/// Returns whether an entry lists the hosts of a file, which costs nothing to read.
pub(crate) fn reads_a_file(entry: &Entry) -> bool {
    entry.connector.about().reads_only_files()
}

/// Returns whether an entry is reached through what a connector lists (`@terraform/web/@docker/c`),
/// or is that itself.
pub(crate) fn needs_settings(name: &str, entry: &Entry, registry: &Registry) -> bool {
    entry.lists() || any_outer(name, entry, registry, |connector| connector.about().only_lists())
}

/// Returns whether an entry is a host that is reached through a listed one, for which a program or
/// an API is asked.
fn asks_for_its_way(name: &str, entry: &Entry, registry: &Registry) -> bool {
    any_outer(name, entry, registry, |connector| {
        let about = connector.about();
        about.only_lists() && !about.reads_only_files()
    })
}

/// Returns whether one of the connectors before the last one fits.
fn any_outer(
    name: &str,
    entry: &Entry,
    registry: &Registry,
    fits: impl Fn(&dyn Connector) -> bool,
) -> bool {
    let reached = entry.reached(name);
    // Most names are no chains.
    if before_links(reached) == reached {
        return false;
    }
    let Ok(parsed) = TargetName::parse(reached, |name| registry.knows(name)) else { return false };
    let mut connectors = parsed.links().filter_map(|link| registry.get(link.connector).ok());
    connectors.any(|connector| fits(connector.as_ref()))
}

/// Refuses a host that a connector lists and that the inventory reaches in a way of its own, which
/// was outside the limit.
pub(crate) fn refuse_unasked(draft: &Draft, asked: &[usize], found: &Hosts) -> Result<()> {
    for (index, name, entry) in found.keys().filter_map(|name| draft.entries.get_full(name)) {
        if !entry.lists() && asked.binary_search(&index).is_err() {
            let problem =
                format!("{name} is another target than the {name} that a connector lists");
            return Err(entry.place.error(problem));
        }
    }
    Ok(())
}
