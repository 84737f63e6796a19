//! The groups of an inventory, as a graph.

use std::collections::HashSet;

use hostlink_core::{Data, Error, ErrorKind, Result, nearest};
use indexmap::IndexMap;

use crate::place::Place;

/// The number of a group.
pub(crate) type GroupId = u32;

/// A group, its data and its children.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) data: Data,
    children: IndexMap<String, Place>,
    /// Whether something says that there is such a group, and does not only mention it.
    is_defined: bool,
    parents: Vec<GroupId>,
    child_ids: Vec<GroupId>,
    /// The longest way from a group without parents.
    depth: u32,
}

/// All groups but `all`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups(IndexMap<String, Group>);

fn id(index: usize) -> GroupId {
    GroupId::try_from(index).expect("there are fewer groups than 2^32")
}

fn index(id: GroupId) -> usize {
    usize::try_from(id).expect("a group's number is an index")
}

impl Groups {
    /// The group of this name, which there is from now on.
    pub(crate) fn define(&mut self, name: &str) -> GroupId {
        let group = self.mention(name);
        self.0[index(group)].is_defined = true;
        group
    }

    /// The group of this name, whether there is one or not.
    pub(crate) fn mention(&mut self, name: &str) -> GroupId {
        id(self
            .0
            .get_index_of(name)
            .unwrap_or_else(|| self.0.insert_full(name.to_owned(), Group::default()).0))
    }

    pub(crate) fn add_child(&mut self, group: GroupId, child: &str, place: Place) {
        self.0[index(group)].children.entry(child.to_owned()).or_insert(place);
    }

    /// Sets data over what is there.
    pub(crate) fn add_data(&mut self, group: GroupId, data: &Data) {
        self.0[index(group)].data.merge(data);
    }

    /// Sets data under what is there.
    pub(crate) fn add_data_under(&mut self, group: GroupId, data: &Data) {
        let own = &mut self.0[index(group)].data;
        let mut merged = data.clone();
        merged.merge(own);
        *own = merged;
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<GroupId> {
        self.0.get_full(name).filter(|(_, _, group)| group.is_defined).map(|(at, _, _)| id(at))
    }

    pub(crate) fn name(&self, group: GroupId) -> &str {
        self.0.get_index(index(group)).expect("a group's number is an index").0
    }

    pub(crate) fn data(&self, group: GroupId) -> &Data {
        &self.0[index(group)].data
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.0.len()).map(id)
    }

    /// Every group that there is, in order.
    pub(crate) fn defined(&self) -> impl Iterator<Item = (GroupId, &str)> {
        let groups = self.0.iter().enumerate().filter(|(_, (_, group))| group.is_defined);
        groups.map(|(at, (name, _))| (id(at), name.as_str()))
    }

    /// The names that data are given for, without there being such a group.
    pub(crate) fn only_mentioned(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, group)| !group.is_defined).map(|(name, _)| name.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.defined().map(|(_, name)| name)
    }

    pub(crate) fn children(&self, group: GroupId) -> &[GroupId] {
        &self.0[index(group)].child_ids
    }

    pub(crate) fn has_parents(&self, group: GroupId) -> bool {
        !self.0[index(group)].parents.is_empty()
    }

    /// Whether a child of this group is only mentioned so far.
    pub(crate) fn is_open(&self, group: GroupId) -> bool {
        self.0[index(group)].children.keys().any(|child| self.find(child).is_none())
    }

    /// Connects children to parents. Call it after the last change.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: a group is in itself, by whatever way; with `all_are_known`, a child that there is not.
    pub(crate) fn connect(&mut self, all_are_known: bool) -> Result<()> {
        for group in self.0.values_mut() {
            group.parents.clear();
            group.child_ids.clear();
            group.depth = 0;
        }
        for parent in self.ids() {
            for (child, place) in self.0[index(parent)].children.clone() {
                match self.find(&child) {
                    Some(child) => {
                        self.0[index(child)].parents.push(parent);
                        self.0[index(parent)].child_ids.push(child);
                    }
                    None if all_are_known => {
                        let hint = nearest::hint(&child, self.names());
                        return Err(place.error(format_args!("there is no group {child:?}{hint}")));
                    }
                    None => {}
                }
            }
        }
        self.set_depths()
    }

    /// From parents to children, each when all of its parents have been seen.
    fn set_depths(&mut self) -> Result<()> {
        let mut waits_for: Vec<usize> = self.0.values().map(|group| group.parents.len()).collect();
        let mut ready: Vec<GroupId> = self.ids().filter(|id| waits_for[index(*id)] == 0).collect();
        let mut seen = 0;
        while let Some(parent) = ready.pop() {
            seen += 1;
            let depth = self.0[index(parent)].depth + 1;
            for child in self.children(parent).to_vec() {
                let group = &mut self.0[index(child)];
                group.depth = group.depth.max(depth);
                waits_for[index(child)] -= 1;
                if waits_for[index(child)] == 0 {
                    ready.push(child);
                }
            }
        }
        if seen == self.0.len() { Ok(()) } else { Err(self.cycle(&waits_for)) }
    }

    /// Says which groups are in one another. Each that still waits has a parent that waits.
    fn cycle(&self, waits_for: &[usize]) -> Error {
        let waiting = |id: &GroupId| waits_for[index(*id)] > 0;
        let mut way: Vec<GroupId> = Vec::new();
        let mut at = self.ids().find(waiting).unwrap_or_default();
        while !way.contains(&at) {
            way.push(at);
            at = self.0[index(at)].parents.iter().copied().find(waiting).unwrap_or_default();
        }
        let begin = way.iter().position(|group| *group == at).unwrap_or_default();
        let mut names: Vec<&str> =
            way[begin..].iter().rev().map(|group| self.name(*group)).collect();
        let inner = self.0[index(way[begin])].children.first();
        let place = inner.map(|(_, place)| format!("{place}: ")).unwrap_or_default();
        names.extend(names.first().copied());
        let message = format!("{place}groups are in one another: {}", names.join(" > "));
        Error::new(ErrorKind::Inventory, message)
    }

    /// These groups and every group that they are in, in the order in which their data are merged: those of connectors
    /// (`@ssh`), then parents before children, then as they were first named.
    pub(crate) fn with_parents(&self, groups: &[GroupId]) -> Vec<GroupId> {
        let mut all = self.reach(groups, |group| &group.parents);
        let is_users = |group: GroupId| !self.name(group).starts_with('@');
        all.sort_unstable_by_key(|group| (is_users(*group), self.0[index(*group)].depth, *group));
        all
    }

    /// These groups and every group in them.
    pub(crate) fn with_children(&self, groups: &[GroupId]) -> Vec<GroupId> {
        self.reach(groups, |group| &group.child_ids)
    }

    fn reach(&self, groups: &[GroupId], next: impl Fn(&Group) -> &Vec<GroupId>) -> Vec<GroupId> {
        let mut all = groups.to_vec();
        all.sort_unstable();
        all.dedup();
        let mut known: HashSet<GroupId> = all.iter().copied().collect();
        let mut at = 0;
        while let Some(group) = all.get(at) {
            let further = next(&self.0[index(*group)]).iter();
            all.extend(further.filter(|group| known.insert(**group)));
            at += 1;
        }
        all
    }
}

/// A set of groups, for many look-ups.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupSet(Vec<bool>);

impl GroupSet {
    pub(crate) fn new(groups: &Groups, members: &[GroupId]) -> Self {
        let mut set = vec![false; groups.len()];
        for group in members {
            set[index(*group)] = true;
        }
        Self(set)
    }

    pub(crate) fn has(&self, group: GroupId) -> bool {
        self.0.get(index(group)).copied().unwrap_or(false)
    }

    pub(crate) fn has_any(&self, groups: &[GroupId]) -> bool {
        groups.iter().any(|group| self.has(*group))
    }
}
