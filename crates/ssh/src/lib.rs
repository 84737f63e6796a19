#![doc = include_str!("../README.md")]

mod channel;
mod connection;
mod connector;
mod destination;
mod dial;
mod fields;
mod files;
mod forwarding;
mod host;
mod login;
mod login_limit;
mod master;
mod mux;
mod name;
mod openssh;
mod reserve;
mod settings;
mod sftp;
mod slots;
mod sockets;
mod transport;

pub use connector::SshConnector;
