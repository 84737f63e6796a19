//! Chosen hosts with their groups and data, and the owner of their connections.
//!
//! # From sources to hosts
//!
//! `Builder` → `source` (files, directories, programs; `format` makes one tree with positions of
//! TOML, YAML and JSON, `tree` gives the tree its meaning) → `Draft` (all sources together: entries
//! by name, `Groups` as a graph) → `Chooser` (which entries may be meant) → `Registry::list` for
//! those → `Found` → `Inventory` of `Host`s.
//!
//! - A limit is applied twice. Before anything is listed, an entry that lists hosts gets one of
//!   three answers: no, yes, maybe. Only entries with "no" are not asked. A known name is never
//!   looked for elsewhere, or a limit to one host would query every cloud. An exclusion that names
//!   an unknown host forces every connector to be queried, and connectors that only read files
//!   always are: no command may run on a host that was to be left out. For the same reason,
//!   connectors that list hosts of an exclusion are asked as soon as the answer for another entry
//!   is "maybe" (`asking`). Afterwards the limit is applied to each host, when hosts of one name
//!   have been joined.
//! - `Map` (`values/value/map.rs` in core) is the type of `Data` and `Value::Map`: up to eight
//!   values are compared one by one, more are hashed, and clones share them. A hash table for each
//!   host took a fifth of the time and of the memory of loading. A future that is ready when it is
//!   first polled is not queued (`inventory/src/in_order.rs`): nearly every name is one host.
//! - Data is merged on demand (`Host::data`): a hundred thousand hosts in ten groups would
//!   otherwise hold ten copies of each group's data.
//! - Positions: `toml` and `granit-parser` report them. `serde_json` does not; it reads byte by
//!   byte from a reader of ours that counts.
//! - Aliases of YAML are copied, up to a number of values, so a "billion laughs" file is refused
//!   before it takes memory.
//! - `@ansible` and `@sshconfig` are connectors like `@terraform`, so that the rules for listed
//!   hosts hold for theirs. Ansible's variables that mean something only together
//!   (`ansible_become`, its method, its user) are read per host, after they are merged. A value
//!   that means nothing here stays in the data as such (`unusable`), and the host is refused when
//!   it is used.
//! - Secrets are looked up last, for chosen hosts only (`secrets`).
//! - Each connector says whether its data is trusted and which of its fields are guarded; the
//!   registry compares. So a new key, or a new source, is one line.
//! - What an untrusted source says of groups has its scope (`layer`). A host that only this source
//!   names has the same scope; a host that another source names, too, has none. If all hosts of a
//!   group are of one scope, its parents are parents for every host; else they are looked up per
//!   host.
//! - Library crates ask other programs only by `hostlink_local::Program`: deadline, bounded output,
//!   own session, no secrets of ours.

use std::collections::HashMap;
use std::future::Future;
use std::sync::OnceLock;

use hostlink_core::{Data, Result};

use crate::by_name::ByName;
use crate::definition::ALL;
use crate::each::Each;
use crate::groups::{GroupId, GroupSet};
use crate::host::Host;
use crate::shared::{Config, Shared};

/// Hosts, in the order of their sources, with groups and data. It owns their connections.
#[derive(Debug)]
pub struct Inventory {
    hosts: ByName<Host>,
    shared: std::sync::Arc<Shared>,
    /// The indexes of each group's own hosts, computed on first use.
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

    /// The groups, in the order in which they were first named, after `all`.
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

    /// Settings for connecting to hosts and working on them.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Sets data that go before all other, as
    /// [`Builder::override_data`](crate::Builder::override_data) does, such as a password that was
    /// asked for once it was known which hosts there are. A host that is connected keeps its
    /// connection.
    pub fn override_data(&self, data: &Data) {
        self.shared.override_data(data);
    }

    /// Does something on every host, on [`Config::parallel`] of them at the same time, and returns
    /// the results in the order of the hosts. A slow host does not hold up the others.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work that is under way.
    pub async fn on_all<'a, T, F>(&'a self, work: impl Fn(&'a Host) -> F) -> Vec<T>
    where
        F: Future<Output = T>,
    {
        self.on_each(work).in_order().await
    }

    /// As [`on_all`](Self::on_all), with each host and its result as soon as it is there.
    pub fn on_each<'a, W, F>(&'a self, work: W) -> Each<'a, W, F>
    where
        W: Fn(&'a Host) -> F,
        F: Future,
    {
        Each::new(self.hosts(), work, self.shared.config.parallel)
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
