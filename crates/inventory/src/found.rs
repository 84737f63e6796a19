//! The hosts that entries turned out to stand for.

use hostlink_core::{Data, Listed, ResolvedTarget, Result};

use crate::definition::ALL;
use crate::draft::{Draft, Entry};
use crate::groups::GroupId;
use crate::place::Place;

/// A host that an entry stands for.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) target: ResolvedTarget,
    /// The data of its entry.
    pub(crate) own: Data,
    pub(crate) groups: Vec<GroupId>,
    place: Place,
}

impl Found {
    /// Adds what another entry says of the same host.
    pub(crate) fn join(&mut self, other: Self) -> Result<()> {
        if self.target.data != other.target.data || !self.target.is_reached_like(&other.target) {
            let (name, before) = (&self.target.name, &self.place);
            let problem = format!("{name} is another target than the {name} of {before}");
            return Err(other.place.error(problem));
        }
        self.own.merge(&other.own);
        let new = other.groups.into_iter().filter(|group| !self.groups.contains(group));
        self.groups.extend(new.collect::<Vec<_>>());
        Ok(())
    }
}

/// Takes in what an entry stands for.
pub(crate) fn collect(
    draft: &mut Draft,
    name: &str,
    entry: Entry,
    listed: Listed,
    found: &mut Vec<Found>,
) -> Result<()> {
    let Entry { target, data, groups, place, lists } = entry;
    for group in listed.groups {
        if group.name == ALL {
            let mut all = group.data;
            all.merge(&draft.all);
            draft.all = all;
            continue;
        }
        let id = draft.groups.define(&group.name);
        draft.groups.add_data_under(id, &group.data);
        for child in group.children {
            draft.groups.add_child(id, &child, place.clone());
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
        found.push(Found { target: only, own: data, groups, place });
        return Ok(());
    }
    for mut target in listed.targets {
        let mut groups = groups.clone();
        for group in std::mem::take(&mut target.groups) {
            let id = draft.groups.define(&group);
            if !groups.contains(&id) {
                groups.push(id);
            }
        }
        found.push(Found { target, own: data.clone(), groups, place: place.clone() });
    }
    Ok(())
}
