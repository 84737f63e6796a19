//! One command, from its start to its end.

pub(crate) mod handshake;
pub(crate) mod kill;
pub(crate) mod pump;
pub(crate) mod run;
pub(crate) mod served;
pub(crate) mod shared;
pub(crate) mod start;
pub(crate) mod sudo_words;
pub(crate) mod terminal;
