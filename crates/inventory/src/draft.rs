//! All sources together: entries and groups, before anything is asked.

use std::sync::Arc;

use hostlink_core::{Context, Data, Event, Registry, Result, nearest};
use indexmap::map::Entry as Slot;

use crate::by_name::ByName;
use crate::definition::{ALL, Definition, GroupDefinition, HostDefinition, host_name};
use crate::entry::{Entry, Mention, contradiction, has_any};
use crate::found::Hosts;
use crate::groups::{GroupId, Groups};
use crate::layer::{Layer, Scope, Untrusted, merged};
use crate::place::Place;
use crate::secrets::SecretKeys;
use crate::tree::directory_fault;

/// Hosts and groups of all sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) entries: ByName<Entry>,
    pub(crate) groups: Groups,
    /// The data of `all`.
    pub(crate) all: Layer,
    /// Data of hosts by name, whichever source lists them.
    pub(crate) of_hosts: ByName<Data>,
    pub(crate) untrusted: Untrusted,
}

impl Draft {
    /// Nothing yet. `secrets` are the keys of which a stronger one replaces the others.
    pub(crate) fn new(secrets: SecretKeys) -> Self {
        Self { groups: Groups::new(secrets), ..Self::default() }
    }

    /// Adds what a source says. Data and children of groups hold in its scope.
    ///
    /// # Errors
    ///
    /// A host contradicts what is there, its connector is unknown, or its name cannot be read; what
    /// is not trusted says anything of a host that others name, too.
    pub(crate) fn add(
        &mut self,
        definition: Definition,
        source: &Arc<str>,
        scope: Scope,
        registry: &Registry,
    ) -> Result<()> {
        self.all.add_over(scope, &definition.data, self.groups.secrets());
        self.entries.reserve(definition.hosts.len());
        for host in definition.hosts {
            self.add_host(host, None, source, scope, registry)?;
        }
        for (name, group) in definition.groups {
            if let Some(fault) = connector_group_fault(&name, &group, registry) {
                return Err(Place::new(source, group.at).error(fault));
            }
            let id = self.groups.define(&name);
            if scope != Scope::Everywhere {
                self.groups.add_members(id, scope);
            }
            self.groups.add_data_of(scope, id, &group.data);
            for child in group.children {
                let place = Place::new(source, child.at);
                self.groups.add_child_of(scope, id, &child.name, place);
            }
            self.entries.reserve(group.hosts.len());
            for host in group.hosts {
                self.add_host(host, Some(id), source, scope, registry)?;
            }
        }
        Ok(())
    }

    /// Connects groups with those in them, once more after the last change; and puts hosts into the
    /// groups that they are in by the word of what alone names them.
    ///
    /// # Errors
    ///
    /// As [`Groups::connect`].
    pub(crate) fn connect(&mut self, all_are_known: bool, found: &mut Hosts) -> Result<()> {
        self.groups.connect(all_are_known)?;
        let entries = self.entries.values_mut().map(|entry| (&mut entry.groups, entry.scope));
        let found = found.values_mut().map(|host| (&mut host.groups, host.scope));
        for (groups, scope) in entries.chain(found) {
            self.groups.add_own_parents(groups, scope);
        }
        Ok(())
    }

    fn add_host(
        &mut self,
        host: HostDefinition,
        group: Option<GroupId>,
        source: &Arc<str>,
        scope: Scope,
        registry: &Registry,
    ) -> Result<()> {
        let HostDefinition { mut name, target, data, at } = host;
        if host_name(&name) != name {
            name = host_name(&name).to_owned();
        }
        let place = Place::new(source, at);
        let connector_of = |reached: &str| {
            let connector = registry.connector_of(reached);
            connector.map_err(|error| place.put_before(error))
        };
        if let Some(group) = group {
            self.groups.add_members(group, scope);
        }
        match self.entries.entry(name) {
            Slot::Occupied(mut known) => {
                let entry = known.get();
                let says = target.is_some() || has_any(&data);
                let mention = Mention { place: place.clone(), scope, says };
                entry.mention().refuse(&mention, known.key())?;
                let other_target = || {
                    let (before, now) = (entry.target.as_ref()?, target.as_ref()?);
                    (before != now).then_some("target")
                };
                if let Some(what) = contradiction(&entry.data, &data).or_else(other_target) {
                    let (name, before) = (known.key(), &entry.place);
                    let problem = format!("{name}: its {what} is another one at {before}");
                    return Err(place.error(problem));
                }
                let entry = known.get_mut();
                entry.data.merge(&data);
                entry.groups.extend(group.filter(|group| !entry.groups.contains(group)));
                if let (None, Some(target)) = (&entry.target, target) {
                    let connector = connector_of(&target)?;
                    entry.connector = connector.clone();
                    // The connector's group comes first.
                    entry.groups[0] = self.groups.define_of(connector.as_ref());
                    self.groups.add_members(entry.groups[0], scope);
                    entry.target = Some(target);
                }
                if entry.scope != scope {
                    entry.scope = self.untrusted.shared(entry.scope, scope);
                    let groups = &mut self.groups;
                    entry.groups.iter().for_each(|group| groups.add_members(*group, entry.scope));
                }
            }
            Slot::Vacant(slot) => {
                if let Some(fault) = directory_fault(slot.key()) {
                    return Err(place.error(fault));
                }
                let connector = connector_of(target.as_deref().unwrap_or(slot.key()))?;
                let connector = connector.clone();
                let of_connector = self.groups.define_of(connector.as_ref());
                let groups = std::iter::once(of_connector).chain(group).collect();
                self.groups.add_members(of_connector, scope);
                slot.insert(Entry { target, data, groups, place, connector, scope });
            }
        }
        Ok(())
    }

    /// Sets data of a group over what inventories say of it. That there is such a group does not
    /// follow.
    pub(crate) fn add_group_data(&mut self, name: &str, data: &Data) {
        if name == ALL {
            self.all.add_over(Scope::Everywhere, data, self.groups.secrets());
        } else {
            let group = self.groups.mention(name);
            self.groups.add_data(group, data);
        }
    }

    /// Sets data of a host by name, apart from the source that lists it.
    pub(crate) fn add_host_data(&mut self, name: &str, data: &Data) {
        let known = self.of_hosts.entry(host_name(name).to_owned()).or_default();
        *known = merged([&*known, data], self.groups.secrets());
    }

    /// Tells of data of groups and hosts that there are not: their names may be misspelt. Files of
    /// data may be shared by several inventories, so a name without a similar one is only reported
    /// with `-v`.
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

    /// Tells of what is not trusted and names hosts of others, if it would say something of them by
    /// their groups.
    pub(crate) fn tell_shared(&self, context: &Context) {
        for (scope, name) in self.untrusted.sharing() {
            if self.all.has(scope) || self.groups.has_own(scope) {
                let message = format!(
                    "{name} names hosts that others name, too: what it says of groups does not hold for these; --trust-data allows it"
                );
                context.reporter.report("", Event::Warning(&message));
            }
        }
    }

    /// Refuses a lister that is in two groups with different settings for it: it is asked once, so
    /// only one of them could apply.
    pub(crate) fn check_settings(&self, name: &str, entry: &Entry, settled: &Data) -> Result<()> {
        let is_users = |group: &&GroupId| !self.groups.name(**group).starts_with('@');
        let own: Vec<GroupId> = entry.groups.iter().filter(is_users).copied().collect();
        // A group goes before those that it is in.
        let is_parent = |group: GroupId| {
            own.iter().any(|other| {
                *other != group && self.groups.with_parents(&[*other]).contains(&group)
            })
        };
        let innermost: Vec<GroupId> =
            own.iter().filter(|group| !is_parent(**group)).copied().collect();
        for key in entry.connector.about().fields.iter().map(|field| field.key) {
            let says = |group: GroupId| {
                let around = self.groups.with_parents(&[group]).into_iter().rev();
                around.filter_map(|group| self.groups.data(group).get(key)).next()
            };
            let mut said = innermost.iter().filter_map(|group| Some((*group, says(*group)?)));
            let Some((first, value)) = said.next() else { continue };
            let is_settled = settled.get(key).is_some();
            if let Some((other, _)) = said.find(|(_, it)| *it != value && !is_settled) {
                let (first, other) = (self.groups.name(first), self.groups.name(other));
                return Err(entry.place.error(format_args!(
                    "{name} is in {first} and in {other}, which give it another {key} each: name it in each with a name \
                     of its own, like {{name: of-{first}, target: {name:?}}}"
                )));
            }
        }
        Ok(())
    }

    /// The data for what lists hosts in layers, the first one being the weakest.
    pub(crate) fn layers<'a>(
        &'a self,
        groups: impl IntoIterator<Item = &'a GroupId>,
    ) -> impl Iterator<Item = &'a Data> {
        let of_groups = groups.into_iter().map(|group| self.groups.data(*group));
        std::iter::once(self.all.everywhere()).chain(of_groups)
    }
}

/// Returns the fault of a group that is named like those of connectors.
fn connector_group_fault(
    name: &str,
    group: &GroupDefinition,
    registry: &Registry,
) -> Option<String> {
    let connector = name.strip_prefix('@')?;
    if !registry.knows(connector) {
        let known: Vec<String> =
            registry.connectors().map(|known| format!("@{}", known.about().name)).collect();
        let hint = nearest::hint(name, known.iter().map(String::as_str));
        return Some(format!(
            "there is no connector {connector:?} whose hosts {name} could be{hint}"
        ));
    }
    let says_who = !group.hosts.is_empty() || !group.children.is_empty();
    says_who.then(|| {
        format!("{name} are the hosts by that connector: it has data, no hosts and children")
    })
}
