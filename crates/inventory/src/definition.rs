//! The hosts and groups of one source, before connectors are queried and sources merged.

use std::sync::Arc;

use hostlink_core::{Data, Value};
use indexmap::IndexMap;

use crate::place::{Place, Position};

/// The group that every host is in.
pub const ALL: &str = "all";

/// The start of a host's name that is written in full.
const SSH: &str = "@ssh/";

/// The name of the host that is meant: `web1` by `@ssh/web1`, too.
pub(crate) fn host_name(name: &str) -> &str {
    name.strip_prefix(SSH).filter(|host| is_plain(host)).unwrap_or(name)
}

/// `@ssh/web1` for `web1`.
pub(crate) fn long_name(name: &str) -> Option<String> {
    is_plain(name).then(|| [SSH, name].concat())
}

/// Returns whether a name is neither that of a connector's target nor that of a chain.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('@') && !name.contains("/@")
}

/// The content of one source: the tree of an inventory file.
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
    /// The target that reaches it, if not its name: a target's name or a chain.
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

impl Definition {
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
