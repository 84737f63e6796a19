//! From a target's name to a link.

pub(crate) mod connector;
pub(crate) mod guard;
pub(crate) mod name;
pub(crate) mod registry;
pub(crate) mod resolved;
