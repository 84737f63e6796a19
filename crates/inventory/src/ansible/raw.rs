//! An inventory of Ansible as it is written, before anything is translated.

use std::collections::{HashMap, HashSet};

use hostlink_core::{Data, Value};
use indexmap::IndexMap;

use crate::by_name::ByName;
use crate::definition::ALL;
use crate::node::Key;
use crate::place::{Place, Position};

/// The group of the hosts that are in no other one.
pub(super) const UNGROUPED: &str = "ungrouped";

/// The variable that orders groups of the same depth.
const PRIORITY: &str = "ansible_group_priority";

#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) hosts: ByName<RawHost>,
    pub(super) groups: ByName<RawGroup>,
    pub(super) all: GroupVariables,
    pub(super) noted: Noted,
    places: HashMap<(String, String), Place>,
}

/// The notes about a file, besides its hosts.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Variables that are left out, since Ansible Vault encrypted them.
    pub(super) vaulted: Vec<String>,
    /// Lines of hosts in which a comment begins right after a word, and may have been meant as a
    /// part of it.
    pub(super) cut: Vec<u32>,
    /// Keys that a map had already.
    pub(super) repeated: Vec<Key>,
    /// Whether the file holds a secret as plain text.
    pub(super) has_secret: bool,
}

#[derive(Debug)]
pub(super) struct RawHost {
    pub(super) data: Data,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct RawGroup {
    pub(super) hosts: Vec<String>,
    pub(super) children: IndexMap<String, Place>,
    pub(super) variables: GroupVariables,
    /// Of groups that are as deep, the one with the larger number goes before the other.
    pub(super) priority: i64,
    pub(super) place: Place,
}

#[derive(Debug, Default)]
pub(super) struct GroupVariables {
    /// Those of inventories.
    pub(super) written: Data,
    /// Those of `group_vars`, which go before what inventories say of any group.
    pub(super) beside: Data,
}

impl GroupVariables {
    pub(super) fn merged(&self) -> Data {
        let mut merged = self.written.clone();
        merged.merge(&self.beside);
        merged
    }
}

impl Raw {
    pub(super) fn add_host(&mut self, name: &str, group: &str, data: &Data, place: &Place) {
        match self.hosts.get_mut(name) {
            Some(host) => host.data.merge(data),
            None => {
                let host = RawHost { data: data.clone(), place: place.clone() };
                self.hosts.insert(name.to_owned(), host);
            }
        }
        if let Some(group) = self.group(group, place)
            && group.hosts.last().is_none_or(|last| last != name)
        {
            group.hosts.push(name.to_owned());
        }
    }

    /// The group of this name; `None` for `all` and `ungrouped`, which have their hosts implicitly.
    pub(super) fn group(&mut self, name: &str, place: &Place) -> Option<&mut RawGroup> {
        (name != ALL && name != UNGROUPED).then(|| self.any_group(name, place))
    }

    fn any_group(&mut self, name: &str, place: &Place) -> &mut RawGroup {
        let at = self.groups.get_index_of(name).unwrap_or_else(|| {
            let group = RawGroup {
                hosts: Vec::new(),
                children: IndexMap::new(),
                variables: GroupVariables::default(),
                priority: 1,
                place: place.clone(),
            };
            self.groups.insert_full(name.to_owned(), group).0
        });
        &mut self.groups[at]
    }

    /// Adds what an inventory says of a group.
    ///
    /// # Errors
    ///
    /// Its priority is no number.
    pub(super) fn add_group_data(
        &mut self,
        name: &str,
        data: &Data,
        place: &Place,
    ) -> Result<(), String> {
        if name == ALL {
            self.all.written.merge(data);
            self.all.written.remove(PRIORITY);
            return Ok(());
        }
        let group = self.any_group(name, place);
        group.variables.written.merge(data);
        group.variables.written.remove(PRIORITY);
        if let Some(priority) = data.get(PRIORITY).filter(|value| **value != Value::Null) {
            let number = match priority {
                Value::Int(number) => Some(*number),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            group.priority =
                number.ok_or_else(|| format!("{PRIORITY} is a whole number, and this is none"))?;
        }
        Ok(())
    }

    /// Adds what a file beside the inventories says of a group that there is. Ansible takes no
    /// priority from there.
    pub(super) fn add_group_data_beside(&mut self, name: &str, data: &Data) {
        let nowhere = Place::new(&"".into(), Position::default());
        let variables = match self.groups.get_mut(name) {
            _ if name == ALL => &mut self.all,
            Some(group) => &mut group.variables,
            None => &mut self.any_group(name, &nowhere).variables,
        };
        variables.beside.merge(data);
        variables.beside.remove(PRIORITY);
    }

    pub(super) fn add_host_data(&mut self, name: &str, data: &Data) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.data.merge(data);
        }
    }

    pub(super) fn add_child(&mut self, group: &str, child: &str, place: &Place) {
        if child == UNGROUPED && group != ALL {
            self.any_group(child, place);
        }
        if let Some(group) = self.group(group, place) {
            group.children.entry(child.to_owned()).or_insert_with(|| place.clone());
        }
    }

    /// Keeps the place of a variable, the first time that it has this value.
    pub(super) fn note_place(&mut self, key: &str, value: &Value, place: Place) {
        self.places.entry((key.to_owned(), value.to_string())).or_insert(place);
    }

    /// The place of a variable with this value, if it was kept.
    pub(super) fn place_of(&self, key: &str, value: &Value) -> Option<&Place> {
        self.places.get(&(key.to_owned(), value.to_string()))
    }

    /// Puts the hosts of no other group into `ungrouped`, if anything is said of it, and the groups
    /// into the order in which Ansible merges those that are as deep.
    pub(super) fn finish(&mut self) {
        if let Some((index, _, _)) = self.groups.get_full(UNGROUPED) {
            let grouped: HashSet<&str> =
                self.groups.values().flat_map(|group| &group.hosts).map(String::as_str).collect();
            let others = self.hosts.keys().filter(|host| !grouped.contains(host.as_str()));
            self.groups[index].hosts = others.cloned().collect();
        }
        self.groups.sort_by(|name, group, other_name, other| {
            (group.priority, name).cmp(&(other.priority, other_name))
        });
    }
}
