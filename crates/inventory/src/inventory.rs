//! Chosen hosts with their groups and data, and the owner of their connections.

use std::collections::HashMap;
use std::future::Future;
use std::sync::OnceLock;

use futures::stream::{self, StreamExt};
use hostlink_core::Result;

use crate::by_name::ByName;
use crate::definition::ALL;
use crate::groups::{GroupId, GroupSet};
use crate::host::Host;
use crate::shared::{Config, Shared};

/// Hosts, in the order of their sources, with groups and data. It owns their connections.
#[derive(Debug)]
pub struct Inventory {
    hosts: ByName<Host>,
    shared: std::sync::Arc<Shared>,
    /// The places of each group's own hosts, when somebody has asked.
    own_hosts: OnceLock<HashMap<GroupId, Vec<usize>>>,
}

impl Inventory {
    pub(crate) fn new(hosts: ByName<Host>, shared: std::sync::Arc<Shared>) -> Self {
        Self { hosts, shared, own_hosts: OnceLock::new() }
    }

    /// The hosts, in order.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Host> {
        self.hosts.values()
    }

    /// The host of this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// The hosts of a group and of the groups in it.
    pub fn group(&self, name: &str) -> impl Iterator<Item = &Host> {
        let groups = &self.shared.groups;
        let found: Vec<GroupId> = groups.find(name).into_iter().collect();
        let all = name == ALL;
        let set = GroupSet::new(groups, &groups.with_children(&found));
        self.hosts().filter(move |host| all || set.has_any(host.group_ids()))
    }

    /// The groups, in the order in which they were first named, with `all` in front.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        std::iter::once(ALL).chain(self.shared.groups.names()).collect()
    }

    /// The groups in a group; those that are in no other for `all`.
    #[must_use]
    pub fn children(&self, name: &str) -> Vec<&str> {
        let groups = &self.shared.groups;
        if name == ALL {
            let top = groups.defined().filter(|(id, _)| !groups.has_parents(*id));
            return top.map(|(_, name)| name).collect();
        }
        let children = groups.find(name).map(|id| groups.children(id)).unwrap_or_default();
        children.iter().map(|id| groups.name(*id)).collect()
    }

    /// The hosts that are in a group themselves, and not by one of its children.
    pub fn own_hosts(&self, name: &str) -> impl Iterator<Item = &Host> {
        let own_hosts = self.own_hosts.get_or_init(|| {
            let mut own_hosts: HashMap<GroupId, Vec<usize>> = HashMap::new();
            for (index, host) in self.hosts().enumerate() {
                for group in host.group_ids() {
                    own_hosts.entry(*group).or_default().push(index);
                }
            }
            own_hosts
        });
        let found = self.shared.groups.find(name).and_then(|group| own_hosts.get(&group));
        found.into_iter().flatten().map(|index| &self.hosts[*index])
    }

    /// How hosts are connected to and worked on.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Does something on every host, on [`Config::parallel`] of them at once, and returns what came
    /// of it in the order of the hosts.
    pub async fn on_all<'a, T, F>(&'a self, work: impl Fn(&'a Host) -> F) -> Vec<T>
    where
        F: Future<Output = T> + 'a,
    {
        let parallel = self.shared.config.parallel.max(1);
        stream::iter(self.hosts().map(work)).buffered(parallel).collect().await
    }

    /// Ends every connection.
    ///
    /// # Errors
    ///
    /// The first one; the others are ended all the same.
    pub async fn disconnect(&self) -> Result<()> {
        self.on_all(Host::disconnect).await.into_iter().collect()
    }
}
