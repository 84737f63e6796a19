//! All sources together: entries and groups, before anything is asked.

use std::sync::Arc;

use hostlink_core::{Connector, Context, Data, Event, Registry, Result, Value, nearest};
use indexmap::IndexMap;
use indexmap::map::Entry as Slot;

use crate::definition::{ALL, Definition, HostDefinition};
use crate::found::Hosts;
use crate::groups::{GroupId, Groups};
use crate::place::Place;
use crate::secrets::SecretKeys;
use crate::tree::directory_fault;

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
        let HostDefinition { name, target, data, at } = host;
        let connector_of = |reached: &str| {
            let connector = registry.connector_of(reached);
            connector.map_err(|error| Place::new(source, at).put_before(error))
        };
        match self.entries.entry(name) {
            Slot::Occupied(mut known) => {
                let entry = known.get();
                let other_target = || {
                    let (before, now) = (entry.target.as_ref()?, target.as_ref()?);
                    (before != now).then_some("target")
                };
                if let Some(what) = contradiction(&entry.data, &data).or_else(other_target) {
                    let (name, before) = (known.key(), &entry.place);
                    return Err(Place::new(source, at)
                        .error(format_args!("{name}: its {what} is another one at {before}")));
                }
                let entry = known.get_mut();
                entry.data.merge(&data);
                entry.groups.extend(group.filter(|group| !entry.groups.contains(group)));
                if let (None, Some(target)) = (&entry.target, target) {
                    let connector = connector_of(&target)?;
                    entry.lists = !connector.handles_execution();
                    // The connector's group stands in front.
                    entry.groups[0] = group_of(connector, &mut self.groups);
                    entry.target = Some(target);
                }
            }
            Slot::Vacant(slot) => {
                if let Some(fault) = directory_fault(slot.key()) {
                    return Err(Place::new(source, at).error(fault));
                }
                let connector = connector_of(target.as_deref().unwrap_or(slot.key()))?;
                let of_connector = group_of(connector, &mut self.groups);
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
        self.of_hosts.entry(name.to_owned()).or_default().merge(data);
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

/// The group of the hosts that a connector reaches.
fn group_of(connector: &Arc<dyn Connector>, groups: &mut Groups) -> GroupId {
    groups.define(&format!("@{}", connector.name()))
}

/// The key that two mentions of one host give different values. That it has none is one, too.
pub(crate) fn contradiction<'a>(before: &Data, now: &'a Data) -> Option<&'a str> {
    let differs = |(key, value): &(&str, &Value)| {
        let known = before.iter().find(|(known, _)| known == key);
        known.is_some_and(|(_, before)| before != *value)
    };
    now.iter().find(differs).map(|(key, _)| key)
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
