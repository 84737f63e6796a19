//! Which connectors there are.

use std::sync::Arc;

use crate::contract::context::Context;
use crate::link::Link;
use crate::naming::connector::{Connector, GroupData, Listing, NameData};
use crate::naming::name::{NameLink, TargetName, before_links};
use crate::naming::resolved::{LOCAL, ResolvedTarget, Step, Way};
use crate::values::data::Data;
use crate::values::error::{Error, ErrorKind, Result};

/// Maximum number of listed hosts that are reached through one another.
const DEEPEST: usize = 8;

/// The connectors that names may refer to. An explicit value: to use another connector, registers
/// it.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    connectors: Vec<Arc<dyn Connector>>,
    /// Names, and the features that add them.
    left_out: Vec<(&'static str, &'static str)>,
}

/// The targets and groups of a name in an inventory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The targets, in order. The data of `groups` are not in theirs.
    pub targets: Vec<ResolvedTarget>,
    /// Groups that have data or children.
    pub groups: Vec<GroupData>,
}

impl Registry {
    /// A registry without connectors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connector. One of the same name is replaced.
    pub fn register(&mut self, connector: Arc<dyn Connector>) {
        self.connectors.retain(|known| known.about().name != connector.about().name);
        self.connectors.push(connector);
    }

    /// Names a connector that exists but was not compiled in, and the feature that adds it, for the
    /// error that says so.
    pub fn left_out(&mut self, name: &'static str, feature: &'static str) {
        self.left_out.push((name, feature));
    }

    /// Every connector, in the order of registration.
    pub fn connectors(&self) -> impl Iterator<Item = &Arc<dyn Connector>> {
        self.connectors.iter()
    }

    /// The connector of this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownConnector`] with the names there are, or the feature that adds it.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Connector>> {
        self.find(name).ok_or_else(|| self.unknown(name))
    }

    fn find(&self, name: &str) -> Option<&Arc<dyn Connector>> {
        self.connectors.iter().find(|known| known.about().name == name)
    }

    /// Returns the targets of a name.
    ///
    /// # Errors
    ///
    /// The name cannot be read, its connector is unknown, the connector refuses the argument, or
    /// the links do not make a chain; [`ErrorKind::Data`] if data that are not trusted set what
    /// they may not.
    pub async fn resolve(&self, name: &str, context: &Context) -> Result<Vec<ResolvedTarget>> {
        let parsed = self.parse(name)?;
        self.check_links(name, &parsed)?;
        let last = parsed.last();
        let connector = self.get(last.connector)?;
        let hosts = connector.list(last.argument, context).await?.hosts;
        self.targets(name, &parsed, hosts, context).await
    }

    /// Returns the targets of a name, and the groups that its connector lists with them.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub async fn list(&self, name: &str, context: &Context) -> Result<Listed> {
        let parsed = self.parse(name)?;
        self.check_links(name, &parsed)?;
        let last = parsed.last();
        let connector = self.get(last.connector)?;
        let Listing { hosts, groups } = connector.list(last.argument, context).await?;
        for group in &groups {
            self.guard(connector, &group.name, &group.data, context)?;
        }
        Ok(Listed { targets: self.targets(name, &parsed, hosts, context).await?, groups })
    }

    /// The connector of the last link of a name: the one that connects to its target, or lists it.
    ///
    /// # Errors
    ///
    /// The name cannot be read, or its connector is unknown.
    pub fn connector_of(&self, name: &str) -> Result<&Arc<dyn Connector>> {
        self.get(self.parse(name)?.last().connector)
    }

    /// Refuses an inventory-only connector after another target, before it is asked.
    fn check_links(&self, name: &str, parsed: &TargetName<'_>) -> Result<()> {
        for link in parsed.links().skip(1) {
            let connector = self.get(link.connector)?;
            if connector.about().only_lists() {
                return Err(stands_alone(name, connector.about().name));
            }
        }
        Ok(())
    }

    async fn targets(
        &self,
        name: &str,
        parsed: &TargetName<'_>,
        hosts: Vec<NameData>,
        context: &Context,
    ) -> Result<Vec<ResolvedTarget>> {
        let outer = parsed.outer();
        let mut through = Vec::new();
        for link in outer {
            through.extend(self.only_way(*link, context, 0).await?);
        }
        let connector = self.get(parsed.last().connector)?;
        let only = hosts.len() == 1;
        let mut targets = Vec::with_capacity(hosts.len());
        for listed in hosts {
            let mut groups = Vec::with_capacity(1 + listed.groups.len());
            groups.push(format!("@{}", connector.about().name));
            groups.extend(listed.groups.iter().cloned());
            let label =
                if outer.is_empty() || !only { listed.name.clone() } else { name.to_owned() };
            let mut connectors = through.clone();
            connectors.extend(self.way_to(connector, listed, context, 0).await?);
            check_chain(name, &connectors)?;
            let data = known_of(&connectors);
            let local = self.find(LOCAL).cloned();
            targets.push(ResolvedTarget { name: label, data, groups, connectors, local });
        }
        Ok(targets)
    }

    /// Resolves a name of one target, and connects to it with more data.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve) and [`ResolvedTarget::connect`]; [`ErrorKind::Inventory`] if
    /// the name has none or several.
    pub async fn connect(&self, name: &str, data: &Data, context: &Context) -> Result<Link> {
        let mut targets = self.resolve(name, context).await?;
        match (targets.pop(), targets.is_empty()) {
            (Some(target), true) => target.with_data(data).connect(context).await,
            (found, _) => {
                let count = targets.len() + usize::from(found.is_some());
                let message = format!("{name} has {count} targets: name one");
                Err(Error::new(ErrorKind::Inventory, message))
            }
        }
    }

    /// Returns whether there is a connector of this name, even if it was left out.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.find(name).is_some() || self.left_out.iter().any(|(known, _)| *known == name)
    }

    pub(crate) fn parse<'a>(&self, name: &'a str) -> Result<TargetName<'a>> {
        TargetName::parse(name, |part| self.knows(part))
    }

    /// Returns the connectors that lead to the one target of a link.
    async fn only_way(&self, link: NameLink<'_>, context: &Context, depth: usize) -> Result<Way> {
        let connector = self.get(link.connector)?;
        let mut names = connector.list(link.argument, context).await?.hosts;
        match (names.pop(), names.len()) {
            (Some(listed), 0) => self.way_to(connector, listed, context, depth).await,
            (found, others) => {
                let count = others + usize::from(found.is_some());
                let name = connector.about().name;
                let message =
                    format!("@{name} has {count} targets: a chain can go through one only");
                Err(Error::new(ErrorKind::Inventory, message))
            }
        }
    }

    /// The connectors that lead to a host as `connector` lists it.
    async fn way_to(
        &self,
        connector: &Arc<dyn Connector>,
        listed: NameData,
        context: &Context,
        depth: usize,
    ) -> Result<Way> {
        let NameData { name, data, target, named, .. } = listed;
        let host = name.as_str();
        self.guard(connector, host, &data, context)?;
        // A plain name is one for SSH; the name of another target means that target.
        let is_plain = !host.starts_with('@') && before_links(host) == host;
        let by_name = || if is_plain { format!("@ssh/{host}") } else { host.to_owned() };
        let reached = target.or_else(|| connector.about().only_lists().then(by_name));
        let Some(target) = reached else {
            return Ok(vec![Step { connector: connector.clone(), known: data, named }]);
        };
        if depth == DEEPEST {
            let message = format!("{target}: reached through itself, again and again");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        self.guard_target(connector, host, &target, context)?;
        let mut way = Way::new();
        let parsed = self.parse(&target)?;
        self.check_links(&target, &parsed)?;
        for link in parsed.links() {
            // Boxed: a way is made of ways.
            way.extend(Box::pin(self.only_way(link, context, depth + 1)).await?);
        }
        if let Some(last) = way.last_mut() {
            last.known.merge(&data);
        }
        Ok(way)
    }

    fn unknown(&self, name: &str) -> Error {
        let left_out = self.left_out.iter().find(|(known, _)| *known == name);
        let message = if let Some((_, feature)) = left_out {
            format!("@{name} was left out of this build: compile it with the feature `{feature}`")
        } else {
            let known: Vec<String> =
                self.connectors.iter().map(|known| format!("@{}", known.about().name)).collect();
            format!("there is no connector @{name}; there are: {}", known.join(", "))
        };
        Error::new(ErrorKind::UnknownConnector, message)
    }
}

/// Refuses links that cannot follow one another.
fn check_chain(name: &str, way: &Way) -> Result<()> {
    let mut later = way.iter().skip(1).map(|step| step.connector.about());
    match later.find(|inner| !inner.is_wrapper()) {
        Some(inner) => Err(stands_alone(name, inner.name)),
        None => Ok(()),
    }
}

/// Returns the data of a target: of its own connector, and the keys that its name gives the others.
fn known_of(way: &Way) -> Data {
    let mut data = Data::new();
    for step in way {
        for key in &step.named {
            if let Some(value) = step.known.get(key) {
                data.insert(*key, value.clone());
            }
        }
    }
    if let Some(last) = way.last() {
        data.merge(&last.known);
    }
    data
}

fn stands_alone(name: &str, connector: &str) -> Error {
    let message = format!(
        "{name}: @{connector} reaches its targets directly, so it cannot follow another target"
    );
    Error::new(ErrorKind::Inventory, message)
}
