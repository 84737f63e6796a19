//! All sources together: entries and groups, before anything is asked.

use std::sync::Arc;

use hostlink_core::{Context, Data, Event, Registry, Result, Value, nearest};
use indexmap::IndexMap;
use indexmap::map::Entry as Slot;

use crate::definition::{ALL, Definition, HostDefinition, host_name};
use crate::found::Hosts;
use crate::groups::{GroupId, Groups};
use crate::place::Place;
use crate::secrets::SecretKeys;

/// A host, or what stands for several.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) target: Option<String>,
    pub(crate) data: Data,
    /// Those that name it. Its connector's is among them.
    pub(crate) groups: Vec<GroupId>,
    pub(crate) place: Place,
    /// Whether its connector only lists hosts.
    pub(crate) lists: bool,
}

impl Entry {
    /// The name of what it stands for: its target's, or its own.
    pub(crate) fn reached<'a>(&'a self, name: &'a str) -> &'a str {
        self.target.as_deref().unwrap_or(name)
    }
}

/// Hosts and groups of all sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) entries: IndexMap<String, Entry>,
    pub(crate) groups: Groups,
    /// The data of `all`.
    pub(crate) all: Data,
    /// Data of hosts by their names, whoever lists them.
    pub(crate) of_hosts: IndexMap<String, Data>,
}

impl Draft {
    /// Adds what a source says.
    ///
    /// # Errors
    ///
    /// A host contradicts what is there, its connector is unknown, or its name cannot be read.
    pub(crate) fn add(
        &mut self,
        definition: Definition,
        source: &Arc<str>,
        registry: &Registry,
    ) -> Result<()> {
        self.all.merge(&definition.data);
        self.entries.reserve(definition.hosts.len());
        for host in definition.hosts {
            self.add_host(host, None, source, registry)?;
        }
        for (name, group) in definition.groups {
            let id = self.groups.define(&name);
            self.groups.add_data(id, &group.data);
            for child in group.children {
                self.groups.add_child(id, &child.name, Place::new(source, child.at));
            }
            self.entries.reserve(group.hosts.len());
            for host in group.hosts {
                self.add_host(host, Some(id), source, registry)?;
            }
        }
        Ok(())
    }

    fn add_host(
        &mut self,
        host: HostDefinition,
        group: Option<GroupId>,
        source: &Arc<str>,
        registry: &Registry,
    ) -> Result<()> {
        let HostDefinition { mut name, target, data, at } = host;
        if host_name(&name) != name {
            name = host_name(&name).to_owned();
        }
        match self.entries.entry(name) {
            Slot::Occupied(mut known) => {
                let contradiction = join(known.get_mut(), target, data);
                if let Some(what) = contradiction {
                    let (name, before) = (known.key(), &known.get().place);
                    return Err(Place::new(source, at)
                        .error(format_args!("{name}: its {what} is another one at {before}")));
                }
                let groups = &mut known.get_mut().groups;
                groups.extend(group.filter(|group| !groups.contains(group)));
            }
            Slot::Vacant(slot) => {
                let reached = target.as_deref().unwrap_or(slot.key());
                let connector = registry
                    .connector_of(reached)
                    .map_err(|error| Place::new(source, at).put_before(error))?;
                let of_connector = self.groups.define(&format!("@{}", connector.name()));
                let groups = std::iter::once(of_connector).chain(group).collect();
                let (place, lists) = (Place::new(source, at), !connector.handles_execution());
                slot.insert(Entry { target, data, groups, place, lists });
            }
        }
        Ok(())
    }

    /// Sets data of a group over what inventories say of it. That there is such a group does not follow.
    pub(crate) fn add_group_data(&mut self, name: &str, data: &Data) {
        if name == ALL {
            self.all.merge(data);
        } else {
            let group = self.groups.mention(name);
            self.groups.add_data(group, data);
        }
    }

    /// Sets data of a host that is told apart from what lists it.
    pub(crate) fn add_host_data(&mut self, name: &str, data: &Data) {
        self.of_hosts.entry(host_name(name).to_owned()).or_default().merge(data);
    }

    /// Tells of data of groups and hosts that there are not: their names may be misspelt. Files of data may be shared by
    /// several inventories, so what is near to nothing is only told to those who want to know everything.
    pub(crate) fn tell_unused(&self, all_is_known: bool, found: &Hosts, context: &Context) {
        if !all_is_known {
            return;
        }
        let tell = |kind: &str, name: &str, hint: &str| {
            let message = format!("there is no {kind} {name:?}{hint}, and there are data for it");
            let event =
                if hint.is_empty() { Event::Detail(&message) } else { Event::Warning(&message) };
            context.reporter.report("", event);
        };
        for name in self.groups.only_mentioned() {
            tell("group", name, &nearest::hint(name, self.groups.names()));
        }
        let is_unknown =
            |name: &&String| !found.contains_key(*name) && !self.entries.contains_key(*name);
        for name in self.of_hosts.keys().filter(is_unknown) {
            tell("host", name, &nearest::hint(name, found.keys().map(String::as_str).take(10_000)));
        }
    }

    /// The data of a host in layers, the first one being the weakest.
    pub(crate) fn layers<'a>(
        &'a self,
        groups: impl IntoIterator<Item = &'a GroupId>,
    ) -> impl Iterator<Item = &'a Data> {
        std::iter::once(&self.all).chain(groups.into_iter().map(|group| self.groups.data(*group)))
    }
}

/// Adds what is said of a host that is there already; or says what contradicts it.
fn join(known: &mut Entry, target: Option<String>, data: Data) -> Option<String> {
    match (&known.target, target) {
        (Some(before), Some(now)) if *before != now => return Some("target".to_owned()),
        (None, Some(now)) => known.target = Some(now),
        _ => {}
    }
    for (key, value) in data.iter() {
        match known.data.get(key) {
            Some(before) if before != value && *value != Value::Null => {
                return Some(key.to_owned());
            }
            _ => known.data.insert(key, value.clone()),
        }
    }
    None
}

/// Merges layers, the first one being the weakest. Of the keys that say where one secret is, the strongest layer's stays.
pub(crate) fn merged<'a>(layers: impl IntoIterator<Item = &'a Data>, secrets: &SecretKeys) -> Data {
    let mut data = Data::new();
    for layer in layers {
        secrets.make_way(&mut data, layer);
        data.merge(layer);
    }
    data
}
