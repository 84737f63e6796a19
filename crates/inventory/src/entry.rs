//! An entry of the sources: a host, or a name that resolves to several.

use std::sync::Arc;

use hostlink_core::{Connector, Data, Result, Value};

use crate::groups::OwnGroups;
use crate::layer::Scope;
use crate::place::Place;

/// A host, or a name that resolves to several.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) target: Option<String>,
    pub(crate) data: Data,
    /// Those that name it. Its connector's is among them.
    pub(crate) groups: OwnGroups,
    pub(crate) place: Place,
    /// The connector of the last link of its target.
    pub(crate) connector: Arc<dyn Connector>,
    /// The only source that names it, if that is not trusted.
    pub(crate) scope: Scope,
}

impl Entry {
    /// The name that is resolved: its target's, or its own.
    pub(crate) fn reached<'a>(&'a self, name: &'a str) -> &'a str {
        self.target.as_deref().unwrap_or(name)
    }

    /// Returns whether its connector only lists hosts.
    pub(crate) fn lists(&self) -> bool {
        self.connector.about().only_lists()
    }

    pub(crate) fn mention(&self) -> Mention {
        let says = self.target.is_some() || has_any(&self.data);
        Mention { place: self.place.clone(), scope: self.scope, says }
    }
}

pub(crate) fn has_any(data: &Data) -> bool {
    data.iter().next().is_some()
}

/// A mention of a host: its place and its source.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    /// Whether it says how the host is reached, or what its data are.
    pub(crate) says: bool,
}

impl Mention {
    /// Returns whether a host is named and nothing else is said of it.
    pub(crate) fn is_bare(&self) -> bool {
        !self.says
    }

    /// # Errors
    ///
    /// One of both is not trusted and says something of what another one names.
    pub(crate) fn refuse(&self, other: &Self, name: &str) -> Result<()> {
        let (one, elsewhere) = match () {
            () if self.scope == other.scope => return Ok(()),
            () if self.says && self.scope != Scope::Everywhere => (self, other),
            () if other.says && other.scope != Scope::Everywhere => (other, self),
            () => return Ok(()),
        };
        let elsewhere = &elsewhere.place;
        Err(one.place.error(format_args!(
            "{name} is a host of {elsewhere}, too, so a program may not give it a target or data: name it in one of \
             both only, with further data in host_data or group_data; --trust-data allows it"
        )))
    }
}

/// The key that two mentions of one host give different values. That it has none is one, too.
pub(crate) fn contradiction<'a>(before: &Data, now: &'a Data) -> Option<&'a str> {
    let differs = |(key, value): &(&str, &Value)| {
        let known = before.iter().find(|(known, _)| known == key);
        known.is_some_and(|(_, before)| before != *value)
    };
    now.iter().find(differs).map(|(key, _)| key)
}
