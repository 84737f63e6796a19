#![doc = include_str!("../README.md")]

mod arguments;
mod armor;
mod builder;
mod command;
mod connection;
mod connector;
mod context;
mod data;
mod error;
mod files;
mod forward;
mod guard;
mod handshake;
mod interchange;
mod io;
mod kill;
mod lines;
mod link;

mod name;
pub mod nearest;
mod output;
mod process;
mod pump;
pub mod quote;
mod registry;
mod report;
mod run;
mod script;
mod secret;
mod served;
mod shared;
mod start;
mod status;
mod stdin;
pub mod streams;
mod sudo_words;
mod terminal;
pub mod transfer;
mod value;

pub use arguments::{ConnectorArguments, EnvValue, RetryUntil};
pub use builder::make_unix_command;
pub use command::StringCommand;
pub use connection::{Connection, Slot, SpawnOptions};
pub use connector::{Connector, GroupData, Listing, NameData, Target};
pub use context::Context;
pub use data::{Data, DataField, DataReader, Fault, all_checks, holds_secret};
pub use error::{Error, ErrorKind, Result};
pub use forward::{Endpoint, Forward, Forwarding};
pub use guard::guarded;
pub use io::{BoxRead, BoxWrite, Chunk, Duplex, OutputSink, Stream};
pub use lines::{LineSplitter, OutputLine};
pub use link::Link;

pub use name::{NameLink, TargetName, before_links, refuse_unknown_link};
pub use output::{CommandOutput, RunOptions};
pub use process::{NoControl, Process, ProcessControl, TerminalSize};
pub use registry::{Listed, Registry, ResolvedTarget};
pub use report::{Event, NobodyToAsk, Prompter, Reporter, Silent};
pub use script::{MAX_ARGUMENT, Prompt, Question, Script};
pub use secret::{MASK, Secret};
pub use shared::SUDO_QUESTION;
pub use status::ExitStatus;
pub use stdin::Stdin;
pub use terminal::{Terminal, Window};
pub use value::{FromValue, Map, Value};

/// Environment variables that hold a secret for hostlink itself: no child process may inherit them.
pub const SECRET_VARIABLES: [&str; 4] = [
    "HOSTLINK_SUDO_PASSWORD",
    "HOSTLINK_SU_PASSWORD",
    "HOSTLINK_DOAS_PASSWORD",
    "HOSTLINK_SSH_PASSWORD",
];
