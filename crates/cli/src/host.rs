//! One host of an invocation.

use hostlink::ConnectorArguments;
use hostlink::connect::ResolvedTarget;

/// A host that something is to be done on.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) target: ResolvedTarget,
    pub(crate) arguments: ConnectorArguments,
}
