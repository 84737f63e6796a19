#![doc = include_str!("../README.md")]

mod registry;

pub use hostlink_core::{
    About, BoxRead, BoxWrite, Chunk, CommandOutput, Connection, Connector, ConnectorArguments,
    Context, Data, DataField, DataReader, Duplex, Endpoint, EnvValue, Error, ErrorKind, Event,
    ExitStatus, Fault, Features, Forward, Forwarding, FromValue, GroupData, Kind, LineSplitter,
    Link, Listed, Listing, MASK, MAX_ARGUMENT, Map, NameData, NameLink, NoControl, NobodyToAsk,
    Open, Outcome, OutputLine, OutputSink, Process, ProcessControl, Prompt, Prompter, Question,
    Refusal, Registry, Reporter, ResolvedTarget, Result, RetryUntil, RunOptions, SECRET_VARIABLES,
    SUDO_QUESTION, Script, Secret, Silent, Slot, Sockets, SpawnOptions, Stdin, Stream,
    StringCommand, Target, TargetName, Terminal, TerminalSize, Value, Window, data_fields,
    make_unix_command, nearest, quote, refuse_unknown_link, streams, transfer,
};
#[cfg(feature = "inventory")]
pub use hostlink_inventory as inventory;
pub use registry::builtin_registry;

/// The connectors that are compiled in, each under its name.
pub mod connectors {
    #[cfg(feature = "chroot")]
    pub use hostlink_chroot::ChrootConnector;
    #[cfg(feature = "docker")]
    pub use hostlink_docker::DockerConnector;
    #[cfg(feature = "dockerssh")]
    pub use hostlink_dockerssh::DockerSshConnector;
    #[cfg(feature = "inventory")]
    pub use hostlink_inventory::{AnsibleConnector, SshConfigConnector};
    #[cfg(feature = "local")]
    pub use hostlink_local::LocalConnector;
    #[cfg(feature = "ssh")]
    pub use hostlink_ssh::SshConnector;
    #[cfg(feature = "terraform")]
    pub use hostlink_terraform::TerraformConnector;
    #[cfg(feature = "vagrant")]
    pub use hostlink_vagrant::VagrantConnector;
}

/// The examples of the repository's README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The examples of the book's chapter about the library.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryChapter;

/// The example of the book's chapter about connectors.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/writing-a-connector.md")]
struct ConnectorChapter;
