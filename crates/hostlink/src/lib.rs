#![doc = include_str!("../README.md")]
//!
//! # By task
//!
//! | to | see |
//! |---|---|
//! | reach a target | [`builtin_registry`], [`connect`] |
//! | run a command | [`Link::run_shell_command`], [`run`] |
//! | move files | [`Link::put_file`], [`Link::get_file`], [`transfer`] |
//! | forward a port | [`Link::forward`], [`forward`] |
//! | write a connector | [`connector`] |
//! | name a built-in connector | [`connectors`] |
#![cfg_attr(
    feature = "inventory",
    doc = "| manage many hosts | [`Inventory`], and [`inventory`] |"
)]

mod registry;

pub use hostlink_core::transfer;
pub use hostlink_core::{
    CommandOutput, ConnectorArguments, Context, Data, Error, ErrorKind, ExitStatus, Link, Refusal,
    Registry, Result, Secret, StringCommand, Value,
};
#[cfg(feature = "inventory")]
pub use hostlink_inventory as inventory;
#[cfg(feature = "inventory")]
#[doc(no_inline)]
pub use hostlink_inventory::{Host, Inventory};
pub use registry::builtin_registry;

/// From a name to a [`Link`]: names, host data, questions to the user, and reports.
///
/// A [`Registry`] resolves a name and connects; the [`Context`] says how long that may take, who is
/// asked for passwords and who hears of what happens.
pub mod connect {
    pub use hostlink_core::{
        Event, FromValue, Listed, Map, NameLink, NoPrompter, Prompter, Reporter, ResolvedTarget,
        SECRET_VARIABLES, SUDO_QUESTION, Silent, TargetName,
    };
}

/// Running commands: input, output, limits, and terminals.
///
/// [`Link::run_shell_command`] runs a [`StringCommand`] as [`ConnectorArguments`] say.
pub mod run {
    pub use bytes::Bytes;
    pub use hostlink_core::{
        Chunk, EnvValue, LineSplitter, OutputLine, OutputSink, RetryUntil, RunOptions, Stdin,
        Stream, Terminal, TerminalSize, Window, make_unix_command, quote,
    };
    pub use indexmap::IndexMap;
}

/// Forwarding ports and sockets: [`Link::dial`] and [`Link::forward`].
pub mod forward {
    pub use hostlink_core::{Duplex, Endpoint, Forward, Forwarding};
}

/// Writing a connector: what one implements, and what helps with it.
pub mod connector {
    pub use async_trait::async_trait;
    pub use futures::future::BoxFuture;
    pub use futures::stream::BoxStream;
    pub use hostlink_core::{
        About, BoxRead, BoxWrite, Connection, Connector, DataField, DataReader, Fault, Features,
        Forwards, GroupData, Kind, Listing, MASK, MAX_ARGUMENT, NameData, NoControl, Open, Outcome,
        Process, ProcessControl, Prompt, Question, Script, Slot, Sockets, SpawnOptions, Target,
        data_fields, nearest, refuse_unknown_link, streams,
    };
}

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
