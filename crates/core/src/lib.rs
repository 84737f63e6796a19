#![doc = include_str!("../README.md")]

// The layers, from the lowest: a file names nothing of a later one (`cargo xtask tidy` checks it).
mod values;

mod shell;

mod contract;

mod running;

mod link;

pub mod transfer;

mod naming;

pub use contract::connection::{Connection, Features, Outcome, Slot, SpawnOptions};
pub use contract::context::Context;
pub use contract::files::read_whole;
pub use contract::forward::{Endpoint, Forward, Forwarding, Forwards, Sockets};
pub use contract::process::{NoControl, Process, ProcessControl, TerminalSize};
pub use link::Link;
pub use naming::connector::{About, Connector, GroupData, Kind, Listing, NameData, Open, Target};
pub use naming::guard::guarded;
pub use naming::name::{NameLink, TargetName, before_links, refuse_unknown_link};
pub use naming::registry::{Listed, Registry};
pub use naming::resolved::ResolvedTarget;
pub use running::shared::SUDO_QUESTION;
pub use running::terminal::{Terminal, Window};
pub use shell::arguments::{ConnectorArguments, EnvValue, RetryUntil};
pub use shell::builder::make_unix_command;
pub use shell::command::StringCommand;
pub use shell::privilege::SECRET_VARIABLES;
pub use shell::quote;
pub use shell::script::{MAX_ARGUMENT, Prompt, Question, Script};
pub use values::data::{Data, holds_secret};
pub use values::error::{Error, ErrorKind, Refusal, Result};
pub use values::fault::Fault;
pub use values::field::DataField;
pub use values::io::{BoxRead, BoxWrite, Chunk, Duplex, OutputSink, Stream};
pub use values::lines::{LineSplitter, OutputLine};
pub use values::output::{CommandOutput, RunOptions};
pub use values::random::random_hex;
pub use values::reader::{DataReader, all_checks};
pub use values::report::{Event, NoPrompter, Prompter, Reporter, Silent};
pub use values::secret::{MASK, Secret};
pub use values::status::ExitStatus;
pub use values::stdin::Stdin;
pub use values::value::{FromValue, Map, Value};
pub use values::{nearest, streams};
