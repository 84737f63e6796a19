//! From Ansible's variables to data.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use hostlink_core::{ConnectorArguments, Data, Result, Value};

use super::meaning;
use super::raw::Raw;
use crate::definition::{Child, Definition, GroupDefinition, HostDefinition};
use crate::groups::{GroupId, Groups};
use crate::place::one_line;
use crate::unusable;

/// Variables that have one key here, which means the same. Of those with one meaning the last one
/// counts.
const SAME: &[(&str, &str)] = &[
    ("ansible_host", "ssh_hostname"),
    ("ansible_ssh_host", "ssh_hostname"),
    ("ansible_port", "ssh_port"),
    ("ansible_ssh_port", "ssh_port"),
    ("ansible_user", "ssh_user"),
    ("ansible_ssh_user", "ssh_user"),
    ("ansible_password", SSH_PASSWORD),
    ("ansible_ssh_pass", SSH_PASSWORD),
    ("ansible_ssh_password", SSH_PASSWORD),
    ("ansible_private_key_file", "ssh_key"),
    ("ansible_ssh_private_key_file", "ssh_key"),
    ("ansible_private_key_passphrase", KEY_PASSWORD),
    ("ansible_ssh_private_key_passphrase", KEY_PASSWORD),
    ("ansible_timeout", "ssh_connect_timeout"),
    ("ansible_ssh_timeout", "ssh_connect_timeout"),
    ("ansible_shell_executable", "_shell_executable"),
];
const SSH_PASSWORD: &str = "ssh_password";
const KEY_PASSWORD: &str = "ssh_key_password";

/// The maximum number of groups that are examined for those that are in several others. If there
/// are more, which no real inventory has, variables that belong together are read for each host
/// alone.
const MOST_LOOKED_AT: usize = 100_000;

/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory): a group that there is not, or
/// that is in itself. A host whose variables have no meaning here is refused when it is used.
pub(super) fn definition(mut raw: Raw) -> Result<Definition> {
    raw.finish();
    let mut groups = Groups::default();
    let mut of_hosts: HashMap<&str, Vec<GroupId>, RandomState> = HashMap::default();
    for (name, group) in &raw.groups {
        let id = groups.define(name);
        groups.add_data(id, &group.variables.merged());
        for (child, place) in &group.children {
            groups.add_child(id, child, place.clone());
        }
        for host in &group.hosts {
            of_hosts.entry(host).or_default().push(id);
        }
    }
    groups.connect(true)?;
    let all = raw.all.merged();
    let contested = contested(&raw);
    let of_groups = has_any(&all) || groups.ids().any(|group| has_any(groups.data(group)));
    let layers = if of_groups { Layers::new(&groups, &all) } else { Layers::default() };
    let mut shared: HashMap<Vec<GroupId>, Around, RandomState> = HashMap::default();
    let mut definition = Definition::default();
    for (name, described) in std::mem::take(&mut raw.hosts) {
        let at = described.place.position();
        let mut data = described.data;
        let mut host = HostDefinition { at, ..HostDefinition::new(name) };
        let own = of_hosts.get(host.name.as_str()).map_or(&[][..], Vec::as_slice);
        if of_groups || has_any(&data) || !contested.is_empty() {
            if !shared.contains_key(own) {
                shared.insert(own.to_vec(), Around::new(own, &groups, &all, &contested, &layers));
            }
            let around = &shared[own];
            settle(&contested, &raw, &groups, around, &mut data);
            let mut merged = around.merged.clone();
            // The rest of what a host says has no part in what variables mean together.
            if data.iter().any(|(key, _)| meaning::is_one_of_several(key)) {
                merged.merge(&data);
            }
            let of_host = mapped(&data);
            host.data = of_host.clone();
            let outcome = meaning::together(&merged, &mut host);
            if of_groups {
                around.take_from(&mut host.data, &of_host, has_any(&data));
            }
            if let Err(meaning::Fault { key, problem }) = outcome {
                let place = merged.get(&key).and_then(|value| raw.place_of(&key, value));
                let place = place.unwrap_or(&described.place);
                let problem = one_line(format!("{place}: {problem}"));
                host.data.insert(key, unusable::value(problem));
            }
        } else {
            host.data = mapped(&data);
        }
        definition.hosts.push(host);
    }
    definition.data = mapped(&all);
    definition.data.merge(&layers.all);
    for (name, group) in raw.groups {
        let at = group.place.position();
        let mut data = mapped(&group.variables.merged());
        if let Some(meaning) = groups.find(&name).and_then(|id| layers.groups.get(&id)) {
            data.merge(meaning);
        }
        let children = group.children.into_iter();
        let children = children.map(|(name, place)| Child { name, at: place.position() });
        let group = GroupDefinition {
            hosts: group.hosts.into_iter().map(HostDefinition::new).collect(),
            children: children.collect(),
            data,
            at,
        };
        definition.groups.insert(name, group);
    }
    Ok(definition)
}

/// What the variables of `all` and of groups mean together with those of the groups that they are
/// in. So they count, as all that is said of groups, only where their groups do.
#[derive(Default)]
struct Layers {
    all: Data,
    groups: HashMap<GroupId, Data>,
}

impl Layers {
    fn new(groups: &Groups, all: &Data) -> Self {
        // A fault is reported where it matters: with a host.
        let meaning = |merged: &Data| {
            let mut host = HostDefinition::new("");
            meaning::together(merged, &mut host).map_or_else(|_| Data::new(), |()| host.data)
        };
        let mut layers = Self { all: meaning(all), groups: HashMap::new() };
        let mut parents: HashMap<GroupId, Vec<GroupId>> = HashMap::new();
        for parent in groups.ids() {
            groups
                .children(parent)
                .iter()
                .for_each(|it| parents.entry(*it).or_default().push(parent));
        }
        // Their variables and their meanings, merged with those of the groups that they are in.
        let mut seen: HashMap<GroupId, (Data, Data)> = HashMap::new();
        let mut looked_at = 0;
        // Parents come first.
        for group in groups.with_parents(&groups.ids().collect::<Vec<_>>()) {
            let (mut merged, mut weaker) = match parents.get(&group).map(Vec::as_slice) {
                None => (only_together(all), layers.all.clone()),
                Some([only]) => seen.get(only).cloned().unwrap_or_default(),
                Some(several) => {
                    let around = groups.with_parents(several);
                    looked_at += around.len();
                    if looked_at > MOST_LOOKED_AT {
                        return Self::default();
                    }
                    let mut merged = only_together(all);
                    around.iter().for_each(|it| merged.merge(&only_together(groups.data(*it))));
                    (merged, layers.merged(&around))
                }
            };
            let own = only_together(groups.data(group));
            merged.merge(&own);
            if has_any(&own) {
                let mut data = meaning(&merged);
                unset_others(&mut data, &weaker);
                weaker.merge(&data);
                layers.groups.insert(group, data);
            }
            seen.insert(group, (merged, weaker));
        }
        layers
    }

    fn merged(&self, around: &[GroupId]) -> Data {
        let mut merged = self.all.clone();
        around.iter().filter_map(|group| self.groups.get(group)).for_each(|it| merged.merge(it));
        merged
    }
}

/// The data of the groups around hosts that are in the same ones.
struct Around {
    /// Their groups and those that these are in, in the order in which they are merged; none if
    /// nothing is contested.
    groups: Vec<GroupId>,
    /// The variables of all of these that mean something together, or that are contested.
    merged: Data,
    /// The meaning of these variables together.
    meaning: Data,
}

impl Around {
    // There may be as many of these as hosts, so they keep nothing else.
    fn new(
        own: &[GroupId],
        groups: &Groups,
        all: &Data,
        contested: &[String],
        layers: &Layers,
    ) -> Self {
        let mut around = groups.with_parents(own);
        let is_kept =
            |key: &str| meaning::is_one_of_several(key) || contested.iter().any(|it| it == key);
        let mut merged = only(is_kept, all);
        around.iter().for_each(|group| merged.merge(&only(is_kept, groups.data(*group))));
        let meaning = layers.merged(&around);
        if contested.is_empty() {
            around = Vec::new();
        }
        Self { groups: around, merged, meaning }
    }

    /// Takes away from a host's data what its groups say alike. Where they do not, or where its own
    /// variables have a share in it, all of it stays with the host.
    fn take_from(&self, data: &mut Data, own: &Data, has_own: bool) {
        let of_groups = &self.meaning;
        let is_alike = |key: &str| data.get(key) == of_groups.get(key);
        let is_new = |key: &str| data.get(key) != own.get(key);
        let are_alike = data.iter().filter(|(key, _)| is_new(key)).all(|(key, _)| is_alike(key))
            && of_groups.iter().all(|(key, _)| is_alike(key));
        if are_alike && !has_own {
            data.clone_from(own);
        } else {
            unset_others(data, of_groups);
        }
    }
}

/// Unsets what is there in weaker layers alone.
fn unset_others(data: &mut Data, weaker: &Data) {
    for (key, _) in weaker.iter().filter(|(key, _)| weaker.get(key).is_some()) {
        if data.get(key).is_none() {
            data.insert(key, Value::Null);
        }
    }
}

/// The variables that only mean something together.
fn only_together(data: &Data) -> Data {
    only(meaning::is_one_of_several, data)
}

fn only(is_kept: impl Fn(&str) -> bool, data: &Data) -> Data {
    data.iter().filter(|(key, _)| is_kept(key)).map(|(key, it)| (key, it.clone())).collect()
}

fn has_any(data: &Data) -> bool {
    data.iter().any(|(key, value)| *value != Value::Null && meaning::is_one_of_several(key))
}

/// The keys that `group_vars` and the inventories both set for groups.
fn contested(raw: &Raw) -> Vec<String> {
    let groups = || raw.groups.values().map(|group| &group.variables);
    let written: HashSet<&str> =
        groups().flat_map(|group| group.written.iter()).map(|(key, _)| key).collect();
    let beside = groups().chain([&raw.all]).flat_map(|group| group.beside.iter());
    let both: HashSet<&str> =
        beside.map(|(key, _)| key).filter(|key| written.contains(key)).collect();
    both.into_iter().map(str::to_owned).collect()
}

/// Gives a host what `group_vars` of any of its groups say and the order of the groups alone would
/// not: they go before what inventories say of groups, of whichever.
fn settle(contested: &[String], raw: &Raw, groups: &Groups, around: &Around, own: &mut Data) {
    for key in contested {
        let of_groups =
            around.groups.iter().rev().filter_map(|group| raw.groups.get(groups.name(*group)));
        let mut beside = of_groups.map(|group| &group.variables).chain([&raw.all]);
        // What unsets it counts, too.
        let says =
            |data: &Data| data.iter().find(|(known, _)| known == key).map(|(_, it)| it.clone());
        let strongest = beside.find_map(|group| says(&group.beside));
        if let Some(value) = strongest.filter(|value| says(&around.merged).as_ref() != Some(value))
            && says(own).is_none()
        {
            own.insert(key.clone(), value);
        }
    }
}

/// The data of one layer, with the keys that are used here.
fn mapped(data: &Data) -> Data {
    // Most have nothing of Ansible's own.
    if !data.iter().any(|(key, _)| is_translated(key)) {
        return data.clone();
    }
    let mut mapped = Data::new();
    for (theirs, ours) in SAME {
        if let Some(value) = data.get(theirs) {
            mapped.insert(*ours, value.clone());
        }
    }
    for (key, value) in data.iter().filter(|(key, _)| !is_translated(key)) {
        // A secret that means nothing here is one by its name, wherever it would be shown.
        mapped.insert(key, value.clone());
    }
    mapped
}

/// Returns whether a variable means something here.
pub(super) fn is_translated(key: &str) -> bool {
    has_one_key(key) || meaning::is_one_of_several(key)
}

/// Returns whether a variable has one key here that means the same.
pub(super) fn has_one_key(key: &str) -> bool {
    key.starts_with(meaning::PREFIX) && SAME.iter().any(|(theirs, _)| *theirs == key)
}

/// Returns whether a variable holds a secret, by Ansible's keys or by ours.
pub(super) fn is_secret(key: &str) -> bool {
    if let Some(name) = key.strip_prefix("ansible_") {
        return ["pass", "password", "passphrase", "private_key"].iter().any(|end| {
            name.strip_suffix(end).is_some_and(|it| it.is_empty() || it.ends_with('_'))
        });
    }
    [SSH_PASSWORD, KEY_PASSWORD].contains(&key)
        || ConnectorArguments::FIELDS.iter().any(|field| field.secret && field.key == key)
}

pub(super) fn is_template(value: &Value) -> bool {
    matches!(value, Value::String(text) if text.contains("{{"))
}

pub(super) fn template(key: &str) -> String {
    format!("{key} is a template, and templates are not evaluated here: write what comes of it")
}

/// Returns whether Ansible Vault encrypted a value or a part of it.
pub(super) fn is_vault(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with("$ANSIBLE_VAULT"),
        Value::List(items) => items.iter().any(is_vault),
        Value::Map(entries) => {
            entries.contains_key("__ansible_vault") || entries.values().any(is_vault)
        }
        _ => false,
    }
}

pub(super) fn vaulted(key: &str) -> String {
    let ours = SAME.iter().find(|(theirs, _)| *theirs == key).map(|(_, ours)| *ours);
    let way_out = match ours.filter(|_| is_secret(key)) {
        Some(ours) => format!("write {ours}_command or {ours}_file"),
        None if is_secret(key) => "write _sudo_password_command or _sudo_password_file".to_owned(),
        None => "write it as it is".to_owned(),
    };
    format!("{key} is encrypted by Ansible Vault, which is not opened here: {way_out}")
}
