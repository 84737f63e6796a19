//! What a connector implements to list its targets and to open connections.

use std::fmt;

use async_trait::async_trait;

use crate::contract::connection::Connection;
use crate::contract::context::Context;
use crate::link::Link;
use crate::values::data::Data;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::field::DataField;

/// A kind of target: it lists the targets that a name stands for, and opens connections to them.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// The name after the `@`: `docker` in `@docker/web1`. Lower-case letters and digits.
    fn name(&self) -> &'static str;

    /// One sentence for `hostlink connectors`.
    fn description(&self) -> &'static str;

    /// Whether targets of this kind run commands. A connector that only lists hosts says no.
    fn handles_execution(&self) -> bool {
        true
    }

    /// Whether it reaches its target through another connection, so that it may stand behind one in
    /// a chain.
    fn is_wrapper(&self) -> bool {
        false
    }

    /// Whether it cannot do without another connection for a target with this data. Where a name
    /// gives none, it goes through `@local`.
    fn needs_outer(&self, _data: &Data) -> bool {
        false
    }

    /// The host data that it reads, by default none. Help texts, flags and schemas are made of
    /// this.
    fn data_fields(&self) -> &'static [DataField] {
        &[]
    }

    /// Whether the data that it lists may set [guarded](DataField::guarded) keys. Default: not if
    /// it only lists hosts, since it then passes on what an API, a state or another program's
    /// output says.
    fn is_trusted(&self) -> bool {
        self.handles_execution()
    }

    /// Whether to list hosts is no more than to read files of this machine. Then it is asked even
    /// where a limit seems not to reach its hosts, and for the completion of names.
    fn only_reads_files(&self) -> bool {
        false
    }

    /// The targets that `@name` or `@name/argument` stands for. It may ask an API, a file, a tool;
    /// settings for that are in [`Context::settings`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](crate::ErrorKind::Inventory) or [`Data`](crate::ErrorKind::Data):
    /// the argument is not one of this connector's, or what was asked did not answer.
    async fn make_names_data(
        &self,
        argument: Option<&str>,
        context: &Context,
    ) -> Result<Vec<NameData>>;

    /// The targets that `@name` or `@name/argument` stands for, and groups with data of their own.
    /// Default: the targets alone.
    ///
    /// # Errors
    ///
    /// As [`make_names_data`](Self::make_names_data).
    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        let hosts = self.make_names_data(argument, context).await?;
        Ok(Listing { hosts, groups: Vec::new() })
    }

    /// Checks a target's data, as far as that goes without reaching anything: values that do not
    /// fit or contradict one another, files that are missing. Callers check all targets before they
    /// connect to the first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](crate::ErrorKind::Data), with every fault at once.
    fn check(&self, _target: &Target, _context: &Context) -> Result<()> {
        Ok(())
    }

    /// Opens a connection. The connector keeps to `context.connect_timeout`. Default: for
    /// connectors that only list hosts, nobody calls it.
    ///
    /// # Errors
    ///
    /// The data does not fit, or the target cannot be reached. Nothing is left behind.
    async fn connect(&self, _target: &Target, _context: &Context) -> Result<Box<dyn Connection>> {
        Err(only_lists(self.name()))
    }
}

/// The error of a connection to what only lists hosts.
pub(crate) fn only_lists(name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("@{name} lists hosts and runs nothing"))
}

/// A host as a connector lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct NameData {
    /// The host's name.
    pub name: String,
    /// What the connector knows of it. The host's own data may override it.
    pub data: Data,
    /// The groups it is in. `@connector` is added for every host.
    pub groups: Vec<String>,
    /// How it is reached, as a target's name: `@docker/web1`, a chain. Default: by the connector
    /// that lists it; over SSH, under its name, if that one only lists hosts.
    pub target: Option<String>,
}

impl NameData {
    /// A host without data, in no group but the connector's own.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), data: Data::new(), groups: Vec::new(), target: None }
    }

    /// Sets one value of its data.
    #[must_use]
    pub fn with_data(mut self, key: &str, value: impl Into<crate::Value>) -> Self {
        self.data.insert(key, value);
        self
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

/// What a connection is opened to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host's name, for errors and reports.
    pub name: String,
    /// Its merged data.
    pub data: Data,
    /// The connection to go through, for connectors that wrap one.
    pub outer: Option<Link>,
}
