//! The hosts and groups that patterns are read beside.

use std::collections::HashMap;

use hostlink_core::Registry;

use super::is_all;
use crate::definition::host_name;
use crate::draft::Draft;
use crate::entry::Entry;
use crate::found::Hosts;
use crate::groups::{GroupId, GroupSet};
use crate::pattern::{Element, Kind, Slice};

/// Ansible's name for the hosts that are in no group.
const UNGROUPED: &str = "ungrouped";

/// The hosts and groups that patterns are compared with.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) draft: &'a Draft,
    pub(crate) registry: &'a Registry,
    /// The hosts of the entries that elements name and that have been asked.
    pub(super) by_lister: &'a HashMap<String, Vec<String>>,
    /// The entries whose connectors list hosts.
    pub(super) listers: Vec<(&'a str, &'a [GroupId])>,
    /// Every host; `None` as long as connectors have not been asked.
    pub(super) found: Option<&'a Hosts>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(
        draft: &'a Draft,
        registry: &'a Registry,
        by_lister: &'a HashMap<String, Vec<String>>,
        found: Option<&'a Hosts>,
    ) -> Self {
        let listers = draft.entries.iter().filter(|(_, entry)| entry.lists());
        let listers = listers.map(|(name, entry)| (name.as_str(), entry.groups.as_slice()));
        Self { draft, registry, by_lister, listers: listers.collect(), found }
    }

    pub(super) fn has_host(&self, name: &str) -> bool {
        self.draft.entries.contains_key(host_name(name))
    }

    /// The groups that an element names. A wildcard means groups of connectors only if it begins
    /// like them.
    pub(super) fn groups_of(&self, element: &Element) -> Vec<GroupId> {
        let groups = &self.draft.groups;
        if self.slice_of(element).is_some() {
            return Vec::new();
        }
        match &element.kind {
            Kind::Exact(name) => {
                let bare = name.strip_prefix('@').filter(|name| !self.registry.knows(name));
                groups.find(name).or_else(|| groups.find(bare?)).into_iter().collect()
            }
            Kind::Names(names) => names.iter().filter_map(|name| groups.find(name)).collect(),
            Kind::Globs(globs) => {
                let of_connectors = element.text.starts_with('@');
                let fits = |name: &str| {
                    name.starts_with('@') == of_connectors
                        && globs.iter().any(|glob| glob.fits_group(name))
                };
                groups.defined().filter(|(_, name)| fits(name)).map(|(id, _)| id).collect()
            }
            Kind::Regex(regex) => {
                let fits = |name: &str| !name.starts_with('@') && regex.is_match(name);
                groups.defined().filter(|(_, name)| fits(name)).map(|(id, _)| id).collect()
            }
        }
    }

    /// The group that an element names some hosts of by their position.
    pub(super) fn slice_of<'e>(&self, element: &'e Element) -> Option<(GroupId, &'e Slice)> {
        let slice = element.slice.as_ref()?;
        Some((self.draft.groups.find(&slice.group)?, slice))
    }

    /// The names of the hosts that a slice means, as soon as all hosts are known.
    pub(super) fn sliced(&self, group: GroupId, slice: &Slice) -> Vec<&'a str> {
        let groups = &self.draft.groups;
        let members = GroupSet::new(groups, &groups.with_children(&[group]));
        let hosts = self.found.into_iter().flatten();
        let names = hosts.filter(|(_, host)| members.has_any(&host.groups));
        let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        slice.of(&names).to_vec()
    }

    /// Returns whether an element is Ansible's word for the hosts that are in no group.
    pub(super) fn is_ungrouped(&self, element: &Element) -> bool {
        let is_word = matches!(&element.kind, Kind::Exact(name) if name == UNGROUPED);
        is_word && self.draft.groups.find(UNGROUPED).is_none() && !self.has_host(UNGROUPED)
    }

    /// Returns whether an element can only be read when all hosts and their groups are known.
    pub(super) fn needs_all(&self, element: &Element) -> bool {
        self.slice_of(element).is_some() || self.is_ungrouped(element)
    }

    /// Returns whether an element means the hosts by a connector that there is.
    pub(super) fn is_connector(&self, element: &Element) -> bool {
        let named = element.text.strip_prefix('@');
        named.is_some_and(|name| self.registry.knows(name))
    }

    /// Returns whether hosts, or what lists them, are in the groups that an element names. Those of
    /// connectors may only hold data.
    pub(super) fn has_hosts_in(&self, element: &Element) -> bool {
        let groups = self.groups_of(element);
        let mut entries = self.draft.entries.values();
        entries.any(|entry| entry.groups.iter().any(|group| groups.contains(group)))
    }

    /// Returns whether an element may mean hosts and groups that are not listed yet.
    pub(super) fn is_open(&self, element: &Element) -> bool {
        if self.needs_all(element) {
            return false;
        }
        let is_new = |name: &str| !self.has_host(name) && self.draft.groups.find(name).is_none();
        match &element.kind {
            Kind::Exact(name) => {
                let is_unknown =
                    is_new(name) && !is_all(element) && self.groups_of(element).is_empty();
                is_unknown || (self.is_connector(element) && !self.has_hosts_in(element))
            }
            Kind::Names(names) => names.iter().any(|name| is_new(name)),
            Kind::Globs(_) | Kind::Regex(_) => true,
        }
    }

    /// Returns whether an element matches something that is known, a name of `listed` too.
    pub(super) fn has(&self, element: &Element, listed: &Hosts) -> bool {
        let knows = |name: &str| self.has_host(name) || listed.contains_key(host_name(name));
        let is_host = || match &element.kind {
            Kind::Exact(name) => knows(name),
            Kind::Names(names) => names.iter().any(|name| knows(name)),
            Kind::Globs(globs) => globs.iter().any(|glob| {
                let fits = |(name, entry): (&String, &Entry)| match entry.lists() {
                    true => glob.fits_lister(name),
                    false => glob.fits_host(name),
                };
                self.draft.entries.iter().any(fits)
                    || listed.keys().any(|name| glob.fits_host(name))
            }),
            Kind::Regex(regex) => {
                let entries = self.draft.entries.iter().filter(|(_, entry)| !entry.lists());
                entries.map(|(name, _)| name).chain(listed.keys()).any(|name| regex.is_match(name))
            }
        };
        self.needs_all(element)
            || is_all(element)
            || !self.groups_of(element).is_empty()
            || is_host()
    }
}
