#![doc = include_str!("../README.md")]

mod channel;
mod connection;
mod connector;
mod destination;
mod dial;
mod doors;
mod fields;
mod files;
mod forwarding;
mod host;
mod master;
mod mux;
mod name;
mod openssh;
mod pipes;
mod reserve;
mod settings;
mod sftp;
mod slots;
mod transport;

pub use connector::SshConnector;
