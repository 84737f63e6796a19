//! What a connector implements to list its targets and to open connections.

use std::fmt;

use async_trait::async_trait;

use crate::contract::connection::Connection;
use crate::contract::context::Context;
use crate::link::Link;
use crate::values::data::Data;
use crate::values::error::Result;
use crate::values::field::DataField;

/// A kind of target: it lists the targets of a name and, if they run commands, opens connections to
/// them.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Says what the connector is. It costs nothing, and always returns equal values.
    fn about(&self) -> About<'_>;

    /// Lists the targets of `@name` or `@name/argument`, and groups with data of their own. It may
    /// ask an API, a file, a tool; settings for that are in [`Context::settings`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](crate::ErrorKind::Inventory) or [`Data`](crate::ErrorKind::Data):
    /// the argument is not one of this connector's, or what was asked did not answer.
    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing>;

    /// The targets alone, as pyinfra's connectors list them.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    async fn make_names_data(
        &self,
        argument: Option<&str>,
        context: &Context,
    ) -> Result<Vec<NameData>> {
        Ok(self.list(argument, context).await?.hosts)
    }
}

/// Checks and opens connections, for connectors whose targets run commands.
#[async_trait]
pub trait Open: fmt::Debug + Send + Sync {
    /// Returns whether a target with this data needs another connection. If a name gives none, the
    /// connection goes through `@local`. Default: no.
    fn needs_outer(&self, _data: &Data) -> bool {
        false
    }

    /// Checks a target's data, as far as that goes without reaching anything: values that do not
    /// fit or contradict one another, files that are missing. Callers check all targets before they
    /// connect to the first. Default: all data fits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](crate::ErrorKind::Data), with every fault.
    fn check(&self, _target: &Target, _context: &Context) -> Result<()> {
        Ok(())
    }

    /// Opens a connection within `context.connect_timeout`.
    ///
    /// # Errors
    ///
    /// The data does not fit, or the target cannot be reached. Nothing is left on the target.
    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>>;
}

/// The description of a connector.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The name after the `@`: `docker` in `@docker/web1`. Lower-case letters and digits.
    pub name: &'static str,
    /// One sentence for `hostlink connectors`.
    pub description: &'static str,
    /// The host data that the connector reads. Help texts, flags and schemas are made of this.
    pub fields: &'static [DataField],
    /// Its abilities besides listing.
    pub kind: Kind<'a>,
}

/// The abilities of a connector besides listing.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// It reaches its targets by itself.
    Reaches(&'a dyn Open),
    /// It reaches its targets through another connection, so it may follow another target in a
    /// chain.
    Wraps(&'a dyn Open),
    /// Nothing: its hosts are reached by other connectors.
    Lists {
        /// True if the data that it lists may set [guarded](DataField::guarded) keys. It may not if
        /// it passes on what an API, a state or another program's output says.
        trusted: bool,
        /// True if listing only reads files of this machine. Then the connector is asked even where
        /// a limit seems to exclude its hosts, and for the completion of names.
        reads_only_files: bool,
    },
}

impl<'a> About<'a> {
    /// Returns the part that opens connections; `None` if the connector only lists hosts.
    #[must_use]
    pub fn opener(&self) -> Option<&'a dyn Open> {
        match self.kind {
            Kind::Reaches(opener) | Kind::Wraps(opener) => Some(opener),
            Kind::Lists { .. } => None,
        }
    }

    /// Returns whether the connector only lists hosts, which others reach.
    #[must_use]
    pub fn only_lists(&self) -> bool {
        matches!(self.kind, Kind::Lists { .. })
    }

    /// Returns whether the connector reaches its targets through another connection.
    #[must_use]
    pub fn is_wrapper(&self) -> bool {
        matches!(self.kind, Kind::Wraps(_))
    }

    /// Returns whether the data that the connector lists may set [guarded](DataField::guarded)
    /// keys.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        !matches!(self.kind, Kind::Lists { trusted: false, .. })
    }

    /// Returns whether listing only reads files of this machine.
    #[must_use]
    pub fn reads_only_files(&self) -> bool {
        matches!(self.kind, Kind::Lists { reads_only_files: true, .. })
    }

    /// Returns whether a target with this data needs another connection.
    #[must_use]
    pub fn needs_outer(&self, data: &Data) -> bool {
        self.opener().is_some_and(|opener| opener.needs_outer(data))
    }
}

/// A host as a connector lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct NameData {
    /// The host's name.
    pub name: String,
    /// The connector's data of the host. The host's own data may override it.
    pub data: Data,
    /// The groups it is in. `@connector` is added for every host.
    pub groups: Vec<String>,
    /// The target that reaches it, as a name: `@docker/web1`, a chain. Default: by the connector
    /// that lists it. If that one only lists hosts, the host's own name is used: `@local` is this
    /// machine, and a plain name is reached over SSH.
    pub target: Option<String>,
    /// The keys of `data` that the name itself writes out, as `web1:2222` does its port. What is
    /// said of all hosts does not override them.
    pub named: Vec<&'static str>,
}

impl NameData {
    /// A host without data, in no group but the connector's own.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            data: Data::new(),
            groups: Vec::new(),
            target: None,
            named: Vec::new(),
        }
    }

    /// Sets one value of its data.
    #[must_use]
    pub fn with_data(mut self, key: &str, value: impl Into<crate::Value>) -> Self {
        self.data.insert(key, value);
        self
    }

    /// Sets one value of its data that the name itself writes out.
    #[must_use]
    pub fn with_named(mut self, key: &'static str, value: impl Into<crate::Value>) -> Self {
        self.named.push(key);
        self.with_data(key, value)
    }

    /// Sets how it is reached.
    #[must_use]
    pub fn with_target(self, target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// Adds a group.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }
}

/// Everything that a connector lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The hosts, in order.
    pub hosts: Vec<NameData>,
    /// Groups that have data or children. Those that only have hosts need not be here.
    pub groups: Vec<GroupData>,
}

impl From<Vec<NameData>> for Listing {
    fn from(hosts: Vec<NameData>) -> Self {
        Self { hosts, groups: Vec::new() }
    }
}

/// A listing of one host.
impl From<NameData> for Listing {
    fn from(host: NameData) -> Self {
        vec![host].into()
    }
}

/// A group as a connector lists it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupData {
    /// The group's name; `all` is that of all hosts.
    pub name: String,
    /// The data of its hosts. A host's own goes before it.
    pub data: Data,
    /// Groups whose hosts are this group's too.
    pub children: Vec<String>,
}

/// The target that a connection is opened to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host's name, for errors and reports.
    pub name: String,
    /// Its merged data.
    pub data: Data,
    /// The connection to go through, for connectors that wrap one.
    pub outer: Option<Link>,
}
