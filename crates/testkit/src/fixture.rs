//! The targets that the suite is run against.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::{Connection, Connector, Context, Data, ExitStatus, Link, Registry, Result};

use crate::ability::Lack;

/// A target that the suite can open links to, and what the suite may assume about it.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// The column's name: the first half of each test's name.
    fn name(&self) -> &str;

    /// Opens a new link to the target. The suite opens several, and checks through one what another
    /// did. The first call starts the target if necessary.
    ///
    /// # Errors
    ///
    /// Fails if the target does not start or cannot be reached. If the first call fails, the suite
    /// runs no case.
    async fn connect(&self, context: &Context) -> Result<Link>;

    /// Discards the target, so that the next [`connect`](Self::connect) starts a new one. The suite
    /// calls it after a failed case, since the case may have broken the target. Default: keeps the
    /// target.
    fn replace(&self) {}

    /// Returns how the end of a command by a signal is reported. Default: by its number.
    fn signals(&self) -> Signals {
        Signals::Numbers
    }

    /// Environment variables for children of the test program, for a fixture whose children must
    /// find the same target. Default: none.
    fn child_environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The abilities that the target lacks. Default: none.
    fn lacks(&self) -> &[Lack] {
        &[]
    }
}

/// The report of a transport that a signal ended a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// As [`ExitStatus::Signal`].
    Numbers,
    /// As [`ExitStatus::UnknownSignal`].
    Unknown,
    /// As the exit code 128+n.
    Codes,
}

impl Signals {
    /// Returns the status that signal `number` must arrive as.
    #[must_use]
    pub fn status(self, number: i32) -> ExitStatus {
        match self {
            Self::Numbers => ExitStatus::Signal(number),
            Self::Unknown => ExitStatus::UnknownSignal,
            Self::Codes => ExitStatus::Code(128 + number),
        }
    }
}

/// A fixture for a connector, with the name of a target.
pub struct ConnectorFixture {
    name: String,
    registry: Registry,
    target: String,
    data: Data,
    wrap: Option<fn(Link) -> Box<dyn Connection>>,
    signals: Signals,
    lacks: Vec<Lack>,
}

impl ConnectorFixture {
    /// Returns a fixture for the target `target` (such as `@local`) of a connector, as the column
    /// `name`.
    pub fn new(name: &str, connector: Arc<dyn Connector>, target: &str) -> Self {
        let mut registry = Registry::new();
        registry.register(connector);
        Self {
            name: name.to_owned(),
            registry,
            target: target.to_owned(),
            data: Data::new(),
            wrap: None,
            signals: Signals::Numbers,
            lacks: Vec::new(),
        }
    }

    /// Renames the column.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Registers a connector that `target` goes through.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.registry.register(connector);
        self
    }

    /// Connects with this host data.
    #[must_use]
    pub fn with_data(self, data: Data) -> Self {
        Self { data, ..self }
    }

    /// Wraps each link in a connection of the testkit.
    #[must_use]
    pub fn wrapped(self, wrap: fn(Link) -> Box<dyn Connection>) -> Self {
        Self { wrap: Some(wrap), ..self }
    }

    /// Sets how the transport reports signals.
    #[must_use]
    pub fn with_signals(self, signals: Signals) -> Self {
        Self { signals, ..self }
    }

    /// Declares abilities that the target lacks, in addition to earlier ones.
    #[must_use]
    pub fn lacking(mut self, lacks: &[Lack]) -> Self {
        self.lacks.extend_from_slice(lacks);
        self
    }
}

#[async_trait]
impl Fixture for ConnectorFixture {
    fn name(&self) -> &str {
        &self.name
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let link = self.registry.connect(&self.target, &self.data, context).await?;
        let Some(wrap) = self.wrap else { return Ok(link) };
        Ok(Link::new(wrap(link), &self.target, context.clone()))
    }

    fn signals(&self) -> Signals {
        self.signals
    }

    fn lacks(&self) -> &[Lack] {
        &self.lacks
    }
}

impl std::fmt::Debug for ConnectorFixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorFixture")
            .field("name", &self.name)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
