//! What one source says of hosts and groups, before anything is asked or merged.

use std::sync::Arc;

use hostlink_core::{Data, Value};
use indexmap::IndexMap;
use serde_json::{Map, json};

use crate::place::{Place, Position};

/// The group that every host is in.
pub const ALL: &str = "all";

/// How the name of a host begins that is written out.
const SSH: &str = "@ssh/";

/// The name of the host that is meant: `web1` by `@ssh/web1`, too.
pub(crate) fn host_name(name: &str) -> &str {
    name.strip_prefix(SSH).filter(|host| is_plain(host)).unwrap_or(name)
}

/// `@ssh/web1` for `web1`.
pub(crate) fn long_name(name: &str) -> Option<String> {
    is_plain(name).then(|| [SSH, name].concat())
}

/// Whether a name is neither that of a connector's target nor that of a chain.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('@') && !name.contains("/@")
}

/// What one source says: the tree of an inventory file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// The data of the group `all`.
    pub data: Data,
    /// Hosts that are in no further group.
    pub hosts: Vec<HostDefinition>,
    /// The groups, in order.
    pub groups: IndexMap<String, GroupDefinition>,
}

/// A host, or a name that resolves to several (`@terraform`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostDefinition {
    /// Its name.
    pub name: String,
    /// How it is reached, if not by its name: a target's name or a chain.
    pub target: Option<String>,
    /// Its own data.
    pub data: Data,
    pub(crate) at: Position,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupDefinition {
    /// Its hosts, without those of its children.
    pub hosts: Vec<HostDefinition>,
    /// Groups whose hosts are its own, too.
    pub children: Vec<Child>,
    /// The data of its hosts.
    pub data: Data,
    pub(crate) at: Position,
}

/// The name of a group in another one's `children`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Child {
    /// The group's name.
    pub name: String,
    pub(crate) at: Position,
}

impl HostDefinition {
    /// A host without data that is reached by its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets one value of its data.
    #[must_use]
    pub fn with_data(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key, value);
        self
    }

    /// Sets how it is reached.
    #[must_use]
    pub fn with_target(self, target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..self }
    }
}

impl From<&str> for HostDefinition {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for HostDefinition {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl GroupDefinition {
    /// A group without hosts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a host. A name is enough.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<HostDefinition>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Adds a group whose hosts are its own, too.
    #[must_use]
    pub fn with_child(mut self, name: impl Into<String>) -> Self {
        self.children.push(Child::new(name));
        self
    }

    /// Sets one value of its hosts' data.
    #[must_use]
    pub fn with_data(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key, value);
        self
    }
}

impl Child {
    /// A child of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), at: Position::default() }
    }
}

/// Escapes the characters that JSON allows as they are, and YAML does not (YAML 1.2,
/// `c-printable`). They can only be in strings.
fn escaped_for_yaml(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => text.push(c),
        }
    }
    text
}

impl Definition {
    /// The tree as JSON, which is YAML too. Secrets that are given as [`hostlink_core::Secret`] are
    /// masked.
    #[must_use]
    pub fn to_json(&self) -> String {
        let hosts = |hosts: &[HostDefinition]| hosts.iter().map(host).collect::<Vec<_>>();
        let groups = self.groups.iter().map(|(name, group)| {
            let children: Vec<&str> =
                group.children.iter().map(|child| child.name.as_str()).collect();
            let group = json!({
                "hosts": hosts(&group.hosts), "children": children, "data": group.data,
            });
            (name.clone(), group)
        });
        let groups: Map<String, serde_json::Value> = groups.collect();
        let whole = json!({"data": self.data, "hosts": hosts(&self.hosts), "groups": groups});
        escaped_for_yaml(&whole.to_string())
    }

    /// Every set of data and its position.
    pub(crate) fn all_data<'a>(
        &'a self,
        source: &'a Arc<str>,
    ) -> impl Iterator<Item = (Place, &'a Data)> {
        let place = |at| Place::new(source, at);
        let groups = self.groups.values();
        let of_groups = groups.clone().map(move |group| (place(group.at), &group.data));
        let hosts = self.hosts.iter().chain(groups.flat_map(|group| &group.hosts));
        let of_hosts = hosts.map(move |host| (place(host.at), &host.data));
        std::iter::once((place(Position::default()), &self.data)).chain(of_groups).chain(of_hosts)
    }

    /// Every host, and a target of its own.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &HostDefinition> {
        self.hosts.iter().chain(self.groups.values().flat_map(|group| &group.hosts))
    }
}

fn host(host: &HostDefinition) -> serde_json::Value {
    if host.target.is_none() && host.data.iter().next().is_none() {
        return json!(host.name);
    }
    let mut object = Map::from_iter([("name".to_owned(), json!(host.name))]);
    if let Some(target) = &host.target {
        object.insert("target".into(), json!(target));
    }
    object.insert("data".into(), json!(host.data));
    object.into()
}
