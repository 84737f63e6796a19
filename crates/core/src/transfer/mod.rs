//! Files and directories to a target and back.
//!
//! Everything is streamed: memory does not grow with a file. Whoever reads the destination sees the
//! old file or the new one, never a part. A file is taken for whole because its length, or the
//! target's word behind its last byte, says so; the end of a stream proves nothing. A transfer in
//! which nothing moves for 120 s is ended, whatever its time-out.

mod apart;
mod cleaner;
mod get;
mod put;
mod scp;
mod stage;
mod target;
mod target_script;
mod tree_get;
mod tree_put;

pub use cleaner::CLEAN_LIMIT;
pub use target::{STALL, failure};

pub use crate::contract::files::{
    AtomicFile, Cancelled, Copies, Creation, FileProgram, FileTransfer, GetOptions, Header,
    OpenSource, PutOptions, Sink, SinkWriter, Source, Transferred, blocking, copy_file,
    hidden_name,
};
