#![doc = include_str!("../README.md")]

mod arguments;
mod armor;
mod builder;
mod command;
mod connection;
mod connector;
mod data;
mod error;
mod forward;
mod guard;
mod handshake;
mod interchange;
mod kill;
mod lines;
mod link;
mod map;
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
mod start;
mod stdin;
pub mod streams;
mod sudo_words;
mod terminal;
pub mod transfer;
mod value;

pub use arguments::{ConnectorArguments, EnvValue, RetryUntil};
pub use builder::make_unix_command;
pub use command::StringCommand;
pub use connection::{Connection, Duplex, Endpoint, Slot, SpawnOptions, TerminalSize};
pub use connector::{Connector, Context, GroupData, Listing, NameData, Target};
pub use data::{Data, DataField, DataReader, Fault, all_checks, holds_secret};
pub use error::{Error, ErrorKind, Result};
pub use forward::{Forward, Forwarding};
pub use guard::guarded;
pub use lines::LineSplitter;
pub use link::{Link, SUDO_QUESTION};
pub use map::Map;
pub use name::{NameLink, TargetName, before_links, refuse_unknown_link};
pub use output::{CommandOutput, OutputLine};
pub use process::{BoxWrite, Chunk, ExitStatus, NoControl, Process, ProcessControl, Stream};
pub use pump::OutputSink;
pub use registry::{Listed, Registry, ResolvedTarget};
pub use report::{Event, NobodyToAsk, Prompter, Reporter, Silent};
pub use run::RunOptions;
pub use script::{MAX_ARGUMENT, Prompt, Question, Script};
pub use secret::{MASK, Secret};
pub use stdin::{BoxRead, Stdin};
pub use terminal::{Terminal, Window};
pub use value::{FromValue, Value};

/// Environment variables that hold a secret for hostlink itself: no child process may inherit them.
pub const SECRET_VARIABLES: [&str; 4] = [
    "HOSTLINK_SUDO_PASSWORD",
    "HOSTLINK_SU_PASSWORD",
    "HOSTLINK_DOAS_PASSWORD",
    "HOSTLINK_SSH_PASSWORD",
];
