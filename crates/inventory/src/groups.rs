//! The groups of an inventory, as a graph.

use std::collections::HashSet;

use hostlink_core::{Connector, Data, Error, ErrorKind, Result, nearest};
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::by_name::ByName;
use crate::definition::ALL;
use crate::layer::{Layer, Scope};
use crate::place::Place;
use crate::secrets::SecretKeys;

/// The number of a group.
pub(crate) type GroupId = u32;

/// The groups that a host is in itself, which are few.
pub(crate) type OwnGroups = SmallVec<[GroupId; 4]>;

/// A group, its data and its children.
#[derive(Clone, Debug, Default)]
struct Group {
    layer: Layer,
    /// By their names, and by whose word they are.
    children: IndexMap<(String, Scope), Place>,
    /// Whose hosts are in it: those of one scope, or of several.
    members: Option<Scope>,
    /// Whether something says that there is such a group, and does not only mention it.
    is_defined: bool,
    parents: Vec<GroupId>,
    child_ids: Vec<GroupId>,
    /// Those that are its parents for hosts of a scope alone.
    own_parents: Vec<(Scope, GroupId)>,
    own_child_ids: Vec<GroupId>,
    /// The longest way from a group without parents.
    depth: u32,
}

/// All groups but `all`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    all: ByName<Group>,
    secrets: SecretKeys,
    /// Those of connectors that have been defined. Every host is in one.
    of_connectors: Vec<(&'static str, GroupId)>,
    /// Whether some group has parents for hosts of a scope alone.
    has_own_parents: bool,
}

impl Group {
    fn parents(&self) -> impl Iterator<Item = GroupId> {
        self.parents.iter().copied()
    }

    fn all_parents(&self) -> impl Iterator<Item = GroupId> {
        self.parents().chain(self.own_parents.iter().map(|(_, parent)| *parent))
    }

    fn all_children(&self) -> impl Iterator<Item = GroupId> {
        self.child_ids.iter().chain(&self.own_child_ids).copied()
    }
}

fn id(index: usize) -> GroupId {
    GroupId::try_from(index).expect("there are fewer groups than 2^32")
}

fn index(id: GroupId) -> usize {
    usize::try_from(id).expect("a group's number is an index")
}

impl Groups {
    /// None yet. `secrets` are the keys of which a stronger one replaces the others.
    pub(crate) fn new(secrets: SecretKeys) -> Self {
        Self { secrets, ..Self::default() }
    }

    pub(crate) fn secrets(&self) -> &SecretKeys {
        &self.secrets
    }

    /// The group of this name, which there is from now on.
    pub(crate) fn define(&mut self, name: &str) -> GroupId {
        let group = self.mention(name);
        self.all[index(group)].is_defined = true;
        group
    }

    /// The group of the hosts that a connector reaches, which there is from now on.
    pub(crate) fn define_of(&mut self, connector: &dyn Connector) -> GroupId {
        let name = connector.about().name;
        if let Some((_, known)) = self.of_connectors.iter().find(|(known, _)| *known == name) {
            return *known;
        }
        let group = self.define(&format!("@{name}"));
        self.of_connectors.push((name, group));
        group
    }

    /// The group of this name, whether there is one or not.
    pub(crate) fn mention(&mut self, name: &str) -> GroupId {
        id(self
            .all
            .get_index_of(name)
            .unwrap_or_else(|| self.all.insert_full(name.to_owned(), Group::default()).0))
    }

    /// Notes that hosts of this scope are in a group.
    pub(crate) fn add_members(&mut self, group: GroupId, scope: Scope) {
        let members = &mut self.all[index(group)].members;
        *members = Some(members.map_or(scope, |known| known.join(scope)));
    }

    pub(crate) fn add_child(&mut self, group: GroupId, child: &str, place: Place) {
        self.add_child_of(Scope::Everywhere, group, child, place);
    }

    /// Puts a group into another one, for the hosts of a scope.
    pub(crate) fn add_child_of(&mut self, scope: Scope, group: GroupId, child: &str, place: Place) {
        self.add_members(group, scope);
        self.all[index(group)].children.entry((child.to_owned(), scope)).or_insert(place);
    }

    /// Sets data over what is there.
    pub(crate) fn add_data(&mut self, group: GroupId, data: &Data) {
        self.add_data_of(Scope::Everywhere, group, data);
    }

    /// Sets data for the hosts of a scope, over what is there of it.
    pub(crate) fn add_data_of(&mut self, scope: Scope, group: GroupId, data: &Data) {
        self.all[index(group)].layer.add_over(scope, data, &self.secrets);
    }

    /// Sets data for the hosts of a scope, under what is there of it.
    pub(crate) fn add_data_under(&mut self, scope: Scope, group: GroupId, data: &Data) {
        self.all[index(group)].layer.add_under(scope, data, &self.secrets);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<GroupId> {
        self.all.get_full(name).filter(|(_, _, group)| group.is_defined).map(|(at, _, _)| id(at))
    }

    pub(crate) fn name(&self, group: GroupId) -> &str {
        self.all.get_index(index(group)).expect("a group's number is an index").0
    }

    /// The data that hold for every host of a group.
    pub(crate) fn data(&self, group: GroupId) -> &Data {
        self.all[index(group)].layer.everywhere()
    }

    /// The data of a group that hold for a host of this scope, the weaker ones first.
    pub(crate) fn layers(&self, group: GroupId, scope: Scope) -> impl Iterator<Item = &Data> {
        self.all[index(group)].layer.of(scope)
    }

    /// Returns whether a source says anything of groups for its own hosts.
    pub(crate) fn has_own(&self, scope: Scope) -> bool {
        let has = |group: &Group| {
            group.layer.has(scope) || group.own_parents.iter().any(|(of, _)| *of == scope)
        };
        self.all.values().any(has)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.all.len()).map(id)
    }

    /// Every group that there is, in order.
    pub(crate) fn defined(&self) -> impl Iterator<Item = (GroupId, &str)> {
        let groups = self.all.iter().enumerate().filter(|(_, (_, group))| group.is_defined);
        groups.map(|(at, (name, _))| (id(at), name.as_str()))
    }

    /// The names that data are given for, without there being such a group.
    pub(crate) fn only_mentioned(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|(_, group)| !group.is_defined).map(|(name, _)| name.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.defined().map(|(_, name)| name)
    }

    pub(crate) fn children(&self, group: GroupId) -> &[GroupId] {
        &self.all[index(group)].child_ids
    }

    pub(crate) fn has_parents(&self, group: GroupId) -> bool {
        !self.all[index(group)].parents.is_empty()
    }

    /// Returns whether a child of this group is only mentioned so far.
    pub(crate) fn is_open(&self, group: GroupId) -> bool {
        self.all[index(group)].children.keys().any(|(child, _)| self.find(child).is_none())
    }

    /// Connects children to parents. Call it after the last change.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: a group is in itself, by whatever way; with `all_are_known`, a
    /// child that there is not.
    pub(crate) fn connect(&mut self, all_are_known: bool) -> Result<()> {
        for group in self.all.values_mut() {
            group.parents.clear();
            group.child_ids.clear();
            group.own_parents.clear();
            group.own_child_ids.clear();
            group.depth = 0;
        }
        for parent in self.ids() {
            let children = self.all[index(parent)].children.clone();
            for ((child, scope), place) in &children {
                match self.find(child) {
                    // Another source's word is the same one, or goes before it.
                    Some(_) if is_said_by_all(&children, child, *scope) => {}
                    Some(child) => self.put_into(parent, child, *scope),
                    None if child == ALL => {
                        let problem = "all is the group of every host, and so in no other one";
                        return Err(place.error(problem));
                    }
                    None if all_are_known => {
                        let hint = nearest::hint(child, self.names());
                        return Err(place.error(format_args!("there is no group {child:?}{hint}")));
                    }
                    None => {}
                }
            }
        }
        self.set_depths()
    }

    fn put_into(&mut self, parent: GroupId, child: GroupId, scope: Scope) {
        let group = &mut self.all[index(child)];
        // If all hosts have that scope, there is nothing to distinguish.
        if scope == Scope::Everywhere || group.members == Some(scope) {
            group.parents.push(parent);
            self.all[index(parent)].child_ids.push(child);
        } else {
            group.own_parents.push((scope, parent));
            self.all[index(parent)].own_child_ids.push(child);
            self.has_own_parents = true;
        }
    }

    /// Adds the groups that a host of a scope is in by this scope's word alone.
    pub(crate) fn add_own_parents(&self, groups: &mut OwnGroups, scope: Scope) {
        if scope == Scope::Everywhere || !self.has_own_parents {
            return;
        }
        loop {
            let reached = self.reach(groups, Group::parents);
            let is_own = |(of, _): &&(Scope, GroupId)| *of == scope;
            let own = reached.iter().flat_map(|group| &self.all[index(*group)].own_parents);
            let mut new: Vec<GroupId> = own.filter(is_own).map(|(_, parent)| *parent).collect();
            new.retain(|parent| !reached.contains(parent));
            if new.is_empty() {
                return;
            }
            groups.extend(new);
        }
    }

    /// From parents to children, each when all of its parents have been seen.
    fn set_depths(&mut self) -> Result<()> {
        let mut waits_for: Vec<usize> =
            self.all.values().map(|group| group.all_parents().count()).collect();
        let mut ready: Vec<GroupId> = self.ids().filter(|id| waits_for[index(*id)] == 0).collect();
        let mut seen = 0;
        while let Some(parent) = ready.pop() {
            seen += 1;
            let depth = self.all[index(parent)].depth + 1;
            for child in self.all[index(parent)].all_children().collect::<Vec<_>>() {
                let group = &mut self.all[index(child)];
                group.depth = group.depth.max(depth);
                waits_for[index(child)] -= 1;
                if waits_for[index(child)] == 0 {
                    ready.push(child);
                }
            }
        }
        if seen == self.all.len() { Ok(()) } else { Err(self.cycle(&waits_for)) }
    }

    /// Says which groups are in one another. Each that still waits has a parent that waits.
    fn cycle(&self, waits_for: &[usize]) -> Error {
        let waiting = |id: &GroupId| waits_for[index(*id)] > 0;
        let mut way: Vec<GroupId> = Vec::new();
        let mut at = self.ids().find(waiting).unwrap_or_default();
        while !way.contains(&at) {
            way.push(at);
            at = self.all[index(at)].all_parents().find(waiting).unwrap_or_default();
        }
        let begin = way.iter().position(|group| *group == at).unwrap_or_default();
        let mut names: Vec<&str> =
            way[begin..].iter().rev().map(|group| self.name(*group)).collect();
        let inner = self.all[index(way[begin])].children.first();
        let place = inner.map(|(_, place)| format!("{place}: ")).unwrap_or_default();
        names.extend(names.first().copied());
        let message = format!("{place}groups are in one another: {}", names.join(" > "));
        Error::new(ErrorKind::Inventory, message)
    }

    /// These groups and every group that they are in, in the order in which their data are merged:
    /// those of connectors (`@ssh`), then parents before children, then as they were first named.
    pub(crate) fn with_parents(&self, groups: &[GroupId]) -> Vec<GroupId> {
        let mut all = self.reach(groups, Group::parents);
        let is_users = |group: GroupId| !self.name(group).starts_with('@');
        all.sort_unstable_by_key(|group| (is_users(*group), self.all[index(*group)].depth, *group));
        all
    }

    /// These groups and every group in them.
    pub(crate) fn with_children(&self, groups: &[GroupId]) -> Vec<GroupId> {
        self.reach(groups, |group| group.child_ids.iter().copied())
    }

    /// These groups, every group in them, and every group that they are in, for whichever hosts
    /// that holds.
    pub(crate) fn related(&self, groups: &[GroupId]) -> Vec<GroupId> {
        let mut all = self.reach(groups, Group::all_children);
        all.extend(self.reach(groups, Group::all_parents));
        all
    }

    fn reach<'a, I: Iterator<Item = GroupId>>(
        &'a self,
        groups: &[GroupId],
        next: impl Fn(&'a Group) -> I,
    ) -> Vec<GroupId> {
        let mut all = groups.to_vec();
        all.sort_unstable();
        all.dedup();
        let mut known: HashSet<GroupId> = all.iter().copied().collect();
        let mut at = 0;
        while let Some(group) = all.get(at) {
            let further = next(&self.all[index(*group)]);
            all.extend(further.filter(|group| known.insert(*group)));
            at += 1;
        }
        all
    }
}

/// Returns whether a source of the user makes `child` a child, too, besides the one of `scope`.
fn is_said_by_all(children: &IndexMap<(String, Scope), Place>, child: &str, scope: Scope) -> bool {
    scope != Scope::Everywhere && children.contains_key(&(child.to_owned(), Scope::Everywhere))
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
