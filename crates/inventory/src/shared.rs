//! The state that the hosts of an inventory share.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use hostlink_core::{ConnectorArguments, Context, Data};

use crate::by_name::ByName;
use crate::groups::{GroupSet, Groups};
use crate::layer::Layer;
use crate::secrets::Safe;

/// Settings for connecting to hosts and working on them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Time limit for connecting to a host. Default: the context's.
    pub connect_timeout: Option<Duration>,
    /// Arguments of commands where neither the caller nor the host's data say anything.
    pub arguments: ConnectorArguments,
    /// The maximum number of hosts that are worked on at the same time. Default: 100.
    pub parallel: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { connect_timeout: None, arguments: ConnectorArguments::default(), parallel: 100 }
    }
}

/// The state that the hosts of an inventory share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) groups: Groups,
    pub(crate) all: Layer,
    pub(crate) of_hosts: ByName<Data>,
    /// The groups whose data count for hosts that were chosen by a group.
    pub(crate) related: GroupSet,
    pub(crate) overrides: RwLock<Data>,
    pub(crate) defaults: Data,
    pub(crate) safe: Safe,
    pub(crate) config: Config,
    pub(crate) context: Context,
}

impl Shared {
    /// The data that go before all other.
    pub(crate) fn overrides(&self) -> Data {
        self.overrides.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn override_data(&self, data: &Data) {
        self.overrides.write().unwrap_or_else(PoisonError::into_inner).merge(data);
    }
}
