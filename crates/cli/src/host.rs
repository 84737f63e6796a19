//! One host of an invocation.

use hostlink::ConnectorArguments;
use hostlink::connect::ResolvedTarget;

/// A host to work on.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) target: ResolvedTarget,
    pub(crate) arguments: ConnectorArguments,
}
