//! What a connector implements, what it is given, and the files of this machine that it reads and
//! writes.

pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod files;
pub(crate) mod forward;
pub(crate) mod process;
