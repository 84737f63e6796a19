//! A target that can be connected to, and the way there.

use std::sync::Arc;

use crate::contract::context::Context;
use crate::link::Link;
use crate::naming::connector::{Connector, Open, Target};
use crate::shell::arguments::ConnectorArguments;
use crate::values::data::Data;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::field::DataField;
use crate::values::reader::all_checks;
use crate::values::report::Event;

/// The connector before one that needs another target and is given none.
pub(crate) const LOCAL: &str = "local";

/// The connectors to go through, outermost first.
pub(crate) type Way = Vec<Step>;

/// A connector to go through, and what it knows of its target.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) known: Data,
    /// The keys of `known` that the target's name writes out.
    pub(crate) named: Vec<&'static str>,
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
    /// The last one is the target's own.
    pub(crate) connectors: Way,
    /// The connector that reaches this machine, if there is one.
    pub(crate) local: Option<Arc<dyn Connector>>,
}

impl ResolvedTarget {
    /// Sets data over what the connector knows. The values of secret fields are masked from here
    /// on.
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
        &self.connectors.last().expect("a target has a connector").connector
    }

    /// The keys of its data that the target's name writes out.
    pub fn named_keys(&self) -> impl Iterator<Item = &'static str> {
        self.connectors.iter().flat_map(|step| step.named.iter().copied())
    }

    /// Returns whether the same connectors lead to another target, with the same data.
    #[must_use]
    pub fn is_reached_like(&self, other: &Self) -> bool {
        let way = |target: &Self| -> Vec<(&'static str, Data)> {
            target
                .connectors
                .iter()
                .map(|step| (step.connector.about().name, step.known.clone()))
                .collect()
        };
        way(self) == way(other)
    }

    /// Every data field that a connector on the way reads.
    pub fn data_fields(&self) -> impl Iterator<Item = &'static DataField> {
        self.connectors.iter().flat_map(|step| step.connector.about().fields)
    }

    /// Opens the connection, and those it goes through.
    ///
    /// # Errors
    ///
    /// The connectors' errors; [`ErrorKind::Unsupported`] for a connector that only lists hosts.
    pub async fn connect(&self, context: &Context) -> Result<Link> {
        self.check(context)?;
        let mut outer: Option<Link> = None;
        let way = self.way()?;
        for (index, Step { connector, .. }) in way.iter().enumerate() {
            if way.len() > 1 {
                let step = format!("connecting by @{}", connector.about().name);
                context.reporter.report(&self.name, Event::Detail(&step));
            }
            let target = Target { outer: outer.clone(), ..self.target(&way, index) };
            let opened = async { opener(connector)?.connect(&target, context).await };
            match opened.await {
                Ok(connection) => {
                    let name = &self.name;
                    outer = Some(Link::through(outer, connection, name, context.clone()));
                }
                Err(error) => {
                    if let Some(outer) = outer {
                        // The first error is reported.
                        let _ = outer.disconnect().await;
                    }
                    return Err(error.with_target(&self.name));
                }
            }
        }
        Ok(outer.expect("a target has a connector"))
    }

    /// Checks the data of every connector on the way, without reaching anything.
    ///
    /// # Errors
    ///
    /// The connectors' errors; [`ErrorKind::Unsupported`] for a connector that only lists hosts.
    pub fn check(&self, context: &Context) -> Result<()> {
        let way = self.way()?;
        let checks = way.iter().enumerate().map(|(index, step)| {
            opener(&step.connector)?.check(&self.target(&way, index), context)
        });
        all_checks(checks).map_err(|error| error.with_target(&self.name))
    }

    /// The connectors to go through, this machine's in front if the first one needs another target.
    fn way(&self) -> Result<Way> {
        let mut way = self.connectors.clone();
        let first = way.first().expect("a target has a connector");
        let mut data = first.known.clone();
        data.merge(&self.data);
        if first.connector.about().needs_outer(&data) {
            let local = self.local.clone().ok_or_else(|| {
                let name = first.connector.about().name;
                let message = format!(
                    "@{name} goes through another target, and there is no @{LOCAL} to take: name one before it, \
                     or compile the feature `{LOCAL}` in"
                );
                Error::new(ErrorKind::UnknownConnector, message).with_target(&self.name)
            })?;
            way.insert(0, Step { connector: local, known: Data::new(), named: Vec::new() });
        }
        Ok(way)
    }

    /// Returns the target of the connector at `index` of the way, without the link to go through.
    fn target(&self, way: &Way, index: usize) -> Target {
        let Step { connector, known, .. } = &way[index];
        let later = &way[index + 1..];
        // If a connector is in the chain twice, the host's data belongs to the last one.
        let met_again =
            later.iter().any(|other| other.connector.about().name == connector.about().name);
        let (under, over) = if met_again { (&self.data, known) } else { (known, &self.data) };
        let mut data = under.clone();
        data.merge(over);
        Target { name: self.name.clone(), data, outer: None }
    }
}

/// Returns the part of a connector that opens connections.
fn opener(connector: &Arc<dyn Connector>) -> Result<&dyn Open> {
    let about = connector.about();
    about.opener().ok_or_else(|| {
        let message = format!("@{} lists hosts and runs nothing", about.name);
        Error::new(ErrorKind::Unsupported, message)
    })
}
