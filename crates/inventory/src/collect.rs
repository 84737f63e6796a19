//! Adds the hosts that entries resolved to.

use hostlink_core::{Listed, ResolvedTarget, Result};
use indexmap::map::Entry as Slot;

use crate::definition::ALL;
use crate::draft::Draft;
use crate::entry::Entry;
use crate::found::{Found, Hosts};
use crate::layer::Scope;
use crate::place::{Place, Position};
use crate::tree::{directory_fault, group_name_fault, listed_name_fault};

/// Adds the hosts of an entry. What an untrusted connector says of groups holds for the hosts that
/// it lists.
pub(crate) fn collect(
    draft: &mut Draft,
    name: &str,
    entry: Entry,
    listed: Listed,
    trusted: bool,
    found: &mut Hosts,
) -> Result<()> {
    let mut mention = entry.mention();
    let lists = entry.lists();
    if lists && mention.place.position().line == 0 {
        // An error names the word of the command line.
        mention.place = Place::new(&name.into(), Position::default());
    }
    let is_bare = !lists && mention.is_bare();
    let Entry { target, data, groups, place, .. } = entry;
    let only_itself = !lists && listed.groups.is_empty();
    let scope = match groups.first().filter(|_| !only_itself && !trusted) {
        Some(of_connector) => draft.untrusted.scope(draft.groups.name(*of_connector)),
        None => mention.scope,
    };
    for group in listed.groups {
        if group.name == ALL {
            draft.all.add_under(scope, &group.data, draft.groups.secrets());
            continue;
        }
        if let Some(fault) = listed_group_fault(&group.name, trusted) {
            return Err(place.error(format_args!("{name} lists a group that cannot be: {fault}")));
        }
        // As in a file: those of connectors have data, and no hosts or children.
        if let (true, Some(child)) = (group.name.starts_with('@'), group.children.first()) {
            let problem =
                format!("{name} lists {child} in {}, the group of a connector", group.name);
            return Err(place.error(problem));
        }
        let id = draft.groups.define(&group.name);
        if scope != Scope::Everywhere {
            draft.groups.add_members(id, scope);
        }
        draft.groups.add_data_under(scope, id, &group.data);
        for child in group.children {
            draft.groups.add_child_of(scope, id, &child, place.clone());
        }
    }
    // A host that says how it is reached is one host, whatever the target is called.
    if let (Some(target), false) = (&target, lists) {
        let [mut only] = <[ResolvedTarget; 1]>::try_from(listed.targets).map_err(|targets| {
            let problem =
                format!("{name}: {target} stands for {} targets: name one", targets.len());
            place.error(problem)
        })?;
        name.clone_into(&mut only.name);
        return add(
            found,
            Found { target: only, own: data, groups, scope, mention, is_bare },
            draft,
        );
    }
    for mut target in listed.targets {
        let fault = if lists { listed_name_fault } else { directory_fault };
        if let Some(fault) = fault(&target.name) {
            return Err(place.error(format_args!("{name} lists a host that cannot be: {fault}")));
        }
        let mut groups = groups.clone();
        for group in std::mem::take(&mut target.groups) {
            // As a rule it is the connector's own, which the entry is in already.
            let known = draft.groups.find(&group);
            if known.is_some_and(|known| groups.contains(&known)) {
                continue;
            }
            if let Some(fault) = listed_group_fault(&group, false) {
                let host = &target.name;
                let problem = format!("{name} lists {host} in a group that cannot be: {fault}");
                return Err(place.error(problem));
            }
            groups.push(known.unwrap_or_else(|| draft.groups.define(&group)));
        }
        if lists {
            // Beside the group of what lists it.
            let by_connector = draft.groups.define_of(target.connector().as_ref());
            if !groups.contains(&by_connector) {
                groups.push(by_connector);
            }
        }
        let (own, mention) = (data.clone(), mention.clone());
        add(found, Found { target, own, groups, scope, mention, is_bare }, draft)?;
    }
    Ok(())
}

fn add(hosts: &mut Hosts, found: Found, draft: &mut Draft) -> Result<()> {
    let host = match hosts.entry(found.target.name.clone()) {
        Slot::Vacant(slot) => slot.insert(found),
        Slot::Occupied(known) => {
            let known = known.into_mut();
            known.join(found, &mut draft.untrusted)?;
            known
        }
    };
    host.groups.iter().for_each(|group| draft.groups.add_members(*group, host.scope));
    Ok(())
}

/// Returns the fault of a group that a connector lists.
fn listed_group_fault(name: &str, trusted: bool) -> Option<String> {
    if !trusted && name.starts_with('@') {
        return Some(format!("{name} is the group of a connector"));
    }
    group_name_fault(name)
}
