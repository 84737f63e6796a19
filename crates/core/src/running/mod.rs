//! One command, from its start to its end.

pub(crate) mod begin;
pub(crate) mod begun;
pub(crate) mod feed;
pub(crate) mod handshake;
pub(crate) mod kill;
pub(crate) mod limits;
pub(crate) mod living;
pub(crate) mod run;
pub(crate) mod shared;
pub(crate) mod silence;
pub(crate) mod start;
pub(crate) mod sudo_words;
pub(crate) mod terminal;
