#![doc = include_str!("../README.md")]

mod brand;
mod connection;
mod connector;
mod container;
mod engine;
mod exec;
mod fields;
#[cfg(target_os = "linux")]
mod files;
mod frames;
mod name;
mod reference;
mod settings;
mod ssh_server;

pub use connector::DockerConnector;
pub use ssh_server::SshServer;
