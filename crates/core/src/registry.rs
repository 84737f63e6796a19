//! Which connectors there are.

use std::sync::Arc;

use crate::arguments::ConnectorArguments;
use crate::connector::{Connector, Context, NameData, Target};
use crate::data::{Data, DataField};
use crate::error::{Error, ErrorKind, Result};
use crate::link::Link;
use crate::name::{NameLink, TargetName};

/// The connectors that names may refer to. An explicit value: whoever wants another connector registers it.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    connectors: Vec<Arc<dyn Connector>>,
    left_out: Vec<&'static str>,
}

/// A target whose name has been resolved, ready to connect to.
#[derive(Clone, Debug)]
pub struct ResolvedTarget {
    /// The host's name.
    pub name: String,
    /// The data that its connector knows.
    pub data: Data,
    /// Its groups, the connector's own `@name` among them.
    pub groups: Vec<String>,
    /// The connectors to go through, outermost first; the last one is the target's own.
    connectors: Vec<(Arc<dyn Connector>, Data)>,
}

impl Registry {
    /// A registry without connectors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connector. One of the same name is replaced.
    pub fn register(&mut self, connector: Arc<dyn Connector>) {
        self.connectors.retain(|known| known.name() != connector.name());
        self.connectors.push(connector);
    }

    /// Names a connector that exists but was not compiled in, so that the error for it can say which feature to add.
    pub fn left_out(&mut self, name: &'static str) {
        self.left_out.push(name);
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
        self.connectors.iter().find(|known| known.name() == name).ok_or_else(|| self.unknown(name))
    }

    /// The targets that a name stands for.
    ///
    /// # Errors
    ///
    /// The name cannot be read, its connector is unknown, or the connector refuses the argument.
    pub async fn resolve(&self, name: &str, context: &Context) -> Result<Vec<ResolvedTarget>> {
        let parsed = TargetName::parse(name, |part| self.knows(part))?;
        let (last, outer) = parsed.links().split_last().expect("a name has at least one link");
        let mut through = Vec::new();
        for link in outer {
            let connector = self.get(&link.connector)?;
            through.push((connector.clone(), self.only_name(connector, link, context).await?.data));
        }
        let connector = self.get(&last.connector)?;
        if !outer.is_empty() && !connector.is_wrapper() {
            let message =
                format!("{name}: @{} cannot be reached through another target", connector.name());
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        let names = connector.make_names_data(last.argument.as_deref(), context).await?;
        let only = names.len() == 1;
        Ok(names
            .into_iter()
            .map(|found| {
                let mut connectors = through.clone();
                connectors.push((connector.clone(), Data::new()));
                let label = if outer.is_empty() || !only { found.name } else { name.to_owned() };
                let mut groups = vec![format!("@{}", connector.name())];
                groups.extend(found.groups);
                ResolvedTarget { name: label, data: found.data, groups, connectors }
            })
            .collect())
    }

    /// Resolves a name that stands for one target, and connects to it with more data.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve) and [`ResolvedTarget::connect`]; [`ErrorKind::Inventory`] if the
    /// name stands for none or several.
    pub async fn connect(&self, name: &str, data: &Data, context: &Context) -> Result<Link> {
        let mut targets = self.resolve(name, context).await?;
        match (targets.pop(), targets.is_empty()) {
            (Some(target), true) => target.with_data(data).connect(context).await,
            (found, _) => {
                let count = targets.len() + usize::from(found.is_some());
                let message = format!("{name} stands for {count} targets: name one");
                Err(Error::new(ErrorKind::Inventory, message))
            }
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.connectors.iter().any(|known| known.name() == name) || self.left_out.contains(&name)
    }

    async fn only_name(
        &self,
        connector: &Arc<dyn Connector>,
        link: &NameLink,
        context: &Context,
    ) -> Result<NameData> {
        let mut names = connector.make_names_data(link.argument.as_deref(), context).await?;
        if names.len() == 1 {
            return Ok(names.remove(0));
        }
        let message = format!(
            "@{} stands for {} targets: only one can be gone through",
            connector.name(),
            names.len()
        );
        Err(Error::new(ErrorKind::Inventory, message))
    }

    fn unknown(&self, name: &str) -> Error {
        let message = if self.left_out.contains(&name) {
            format!("@{name} was left out of this build: compile it with the feature `{name}`")
        } else {
            let known: Vec<String> =
                self.connectors.iter().map(|known| format!("@{}", known.name())).collect();
            format!("there is no connector @{name}; there are: {}", known.join(", "))
        };
        Error::new(ErrorKind::UnknownConnector, message)
    }
}

impl ResolvedTarget {
    /// Sets data over what the connector knows. The values of secret fields are masked from here on.
    #[must_use]
    pub fn with_data(mut self, data: &Data) -> Self {
        self.data.merge(data);
        let fields: Vec<DataField> = self.data_fields().copied().collect();
        self.data.mask_fields(&fields);
        self.data.mask_fields(ConnectorArguments::FIELDS);
        self
    }

    /// The target's own connector.
    #[must_use]
    pub fn connector(&self) -> &Arc<dyn Connector> {
        &self.connectors.last().expect("a target has a connector").0
    }

    /// Every data field that a connector on the way reads.
    pub fn data_fields(&self) -> impl Iterator<Item = &'static DataField> {
        self.connectors.iter().flat_map(|(connector, _)| connector.data_fields())
    }

    /// Opens the connection, and those it goes through.
    ///
    /// # Errors
    ///
    /// What the connectors refuse; [`ErrorKind::Unsupported`] for a connector that only lists hosts.
    pub async fn connect(&self, context: &Context) -> Result<Link> {
        self.check(context)?;
        let mut outer = None;
        for (connector, known) in &self.connectors {
            let opened = connector.connect(&self.target(known, outer), context).await;
            let connection = opened.map_err(|error| error.with_target(&self.name))?;
            outer = Some(Link::new(connection, &self.name, context.clone()));
        }
        Ok(outer.expect("a target has a connector"))
    }

    /// Checks the data of every connector on the way, without reaching anything.
    ///
    /// # Errors
    ///
    /// What the connectors find wrong; [`ErrorKind::Unsupported`] for a connector that only lists hosts.
    pub fn check(&self, context: &Context) -> Result<()> {
        for (connector, known) in &self.connectors {
            if !connector.handles_execution() {
                let message = format!("@{} lists hosts and runs nothing", connector.name());
                return Err(Error::new(ErrorKind::Unsupported, message).with_target(&self.name));
            }
            let checked = connector.check(&self.target(known, None), context);
            checked.map_err(|error| error.with_target(&self.name))?;
        }
        Ok(())
    }

    fn target(&self, known: &Data, outer: Option<Link>) -> Target {
        let mut data = known.clone();
        data.merge(&self.data);
        Target { name: self.name.clone(), data, outer }
    }
}
