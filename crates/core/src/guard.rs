//! What data may not do that come from an API, a state, or another program's output.

use std::sync::Arc;

use crate::connector::{Connector, Context};
use crate::data::{Data, DataReader};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{LOCAL, Registry};
use crate::value::Value;

impl Registry {
    /// Refuses a target on this machine where a connector that is not trusted says that a host is there.
    pub(crate) fn guard_target(
        &self,
        connector: &Arc<dyn Connector>,
        host: &str,
        target: &str,
        context: &Context,
    ) -> Result<()> {
        if context.trust_data || connector.is_trusted() || !self.acts_here(target)? {
            return Ok(());
        }
        let name = connector.name();
        let message = format!(
            "@{name} says that this host is {target}, so commands for it would run on this machine; \
             --trust-data takes that"
        );
        Err(Error::new(ErrorKind::Data, message).with_target(host))
    }
}
