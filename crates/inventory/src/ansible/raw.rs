//! An inventory of Ansible as it is written, before anything is translated.

use hostlink_core::Data;
use indexmap::IndexMap;

use crate::definition::{ALL, Child};
use crate::place::Position;

/// Hosts in no group are in this one, which has no data of its own here.
pub(super) const UNGROUPED: &str = "ungrouped";

#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) hosts: IndexMap<String, RawHost>,
    pub(super) groups: IndexMap<String, RawGroup>,
    pub(super) all: Data,
}

#[derive(Debug, Default)]
pub(super) struct RawHost {
    pub(super) data: Data,
    pub(super) at: Position,
}

#[derive(Debug, Default)]
pub(super) struct RawGroup {
    pub(super) hosts: Vec<String>,
    pub(super) children: Vec<Child>,
    pub(super) data: Data,
    pub(super) at: Position,
}

impl Raw {
    pub(super) fn add_host(&mut self, name: &str, group: &str, data: &Data, at: Position) {
        match self.hosts.get_mut(name) {
            Some(host) => host.data.merge(data),
            None => {
                let host = RawHost { data: data.clone(), at };
                self.hosts.insert(name.to_owned(), host);
            }
        }
        if let Some(group) = self.group(group, at)
            && group.hosts.last().is_none_or(|last| last != name)
        {
            group.hosts.push(name.to_owned());
        }
    }

    /// The group of this name; `None` for those that every host is in, or that say nothing.
    pub(super) fn group(&mut self, name: &str, at: Position) -> Option<&mut RawGroup> {
        if name == ALL || name == UNGROUPED {
            return None;
        }
        let group = self.groups.entry(name.to_owned());
        Some(group.or_insert_with(|| RawGroup { at, ..RawGroup::default() }))
    }

    pub(super) fn add_group_data(&mut self, name: &str, data: &Data) {
        match self.groups.get_mut(name) {
            _ if name == ALL => self.all.merge(data),
            Some(group) => group.data.merge(data),
            // Variables of groups that other inventories have.
            None => {}
        }
    }

    pub(super) fn add_host_data(&mut self, name: &str, data: &Data) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.data.merge(data);
        }
    }

    pub(super) fn add_child(&mut self, group: &str, child: &str, at: Position) {
        if let Some(group) = self.group(group, at)
            && group.children.iter().all(|known| known.name != child)
        {
            group.children.push(Child { name: child.to_owned(), at });
        }
    }
}
