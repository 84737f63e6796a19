//! The text that a command becomes. Nothing here starts a process.

pub(crate) mod arguments;
pub(crate) mod armor;
pub(crate) mod builder;
pub(crate) mod command;
pub(crate) mod privilege;
pub mod quote;
pub(crate) mod script;
