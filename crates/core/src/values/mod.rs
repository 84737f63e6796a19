//! The vocabulary of all other modules: bytes, values, errors and output. Nothing here knows a
//! shell or a connection.

pub(crate) mod cause;
pub(crate) mod data;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod field;
pub(crate) mod interchange;
pub(crate) mod io;
pub(crate) mod lines;
pub mod nearest;
pub(crate) mod output;
pub(crate) mod random;
pub(crate) mod reader;
pub(crate) mod report;
pub(crate) mod secret;
pub(crate) mod status;
pub(crate) mod stdin;
pub mod streams;
pub(crate) mod value;
