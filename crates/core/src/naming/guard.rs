//! Limits for data from an API, a state, or another program's output.

use std::sync::Arc;

use crate::contract::context::Context;
use crate::naming::connector::Connector;
use crate::naming::registry::Registry;
use crate::naming::resolved::LOCAL;
use crate::shell::arguments::ConnectorArguments;
use crate::values::data::Data;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::reader::DataReader;
use crate::values::value::Value;

impl Registry {
    /// Refuses data of an untrusted connector that could act on this machine.
    pub(crate) fn guard(
        &self,
        connector: &Arc<dyn Connector>,
        owner: &str,
        data: &Data,
        context: &Context,
    ) -> Result<()> {
        if context.trust_data || connector.about().is_trusted() {
            return Ok(());
        }
        let mut reader = DataReader::new(data);
        let name = connector.about().name;
        for key in self.guarded_keys(data) {
            reader.fault(key, guarded(&format!("data from @{name}")));
        }
        reader.finish().map_err(|error| error.with_target(owner))
    }

    /// Returns the keys of `data` that only a trusted source may set.
    pub fn guarded_keys<'a>(&'a self, data: &'a Data) -> impl Iterator<Item = &'a str> {
        let given = data.iter().filter(|(_, value)| **value != Value::Null);
        given.map(|(key, _)| key).filter(|key| self.is_guarded(key))
    }

    /// Returns whether only a trusted source may set a key. Keys that end in `_command` or `_file`
    /// run or read something, and a secret's key with `_env` would send a variable of this
    /// machine's environment elsewhere.
    fn is_guarded(&self, key: &str) -> bool {
        let fields = self.connectors().flat_map(|known| known.about().fields);
        let mut fields = fields.chain(ConnectorArguments::FIELDS);
        let secret = key.strip_suffix("_env");
        ["_command", "_file"].iter().any(|suffix| key.ends_with(suffix))
            || fields.any(|field| {
                field.guarded && field.key == key || field.secret && Some(field.key) == secret
            })
    }

    /// Returns whether a target is on this machine, or its connector asks a program or a file of
    /// this machine for hosts.
    ///
    /// # Errors
    ///
    /// The name cannot be read, or its connector is unknown.
    pub fn acts_here(&self, name: &str) -> Result<bool> {
        let parsed = self.parse(name)?;
        for (index, link) in parsed.links().enumerate() {
            let about = self.get(link.connector)?.about();
            let is_first = index == 0;
            let is_here = link.connector == LOCAL || (is_first && about.needs_outer(&Data::new()));
            if is_here || about.only_lists() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses a target on this machine if an untrusted connector lists it.
    pub(crate) fn guard_target(
        &self,
        connector: &Arc<dyn Connector>,
        host: &str,
        target: &str,
        context: &Context,
    ) -> Result<()> {
        if context.trust_data || connector.about().is_trusted() || !self.acts_here(target)? {
            return Ok(());
        }
        let name = connector.about().name;
        let message = format!(
            "@{name} says that this host is {target}, so commands for it would run on this machine; \
             --trust-data allows it"
        );
        Err(Error::new(ErrorKind::Data, message).with_target(host))
    }
}

/// Returns the fault of a key that an untrusted source sets.
#[must_use]
pub fn guarded(by: &str) -> String {
    format!("{by} may not set this, since it acts on this machine; --trust-data allows it")
}
