#![doc = include_str!("../README.md")]

mod connector;
mod machine_readable;
mod machines;
mod options;
mod settings;
mod ssh_config;
mod tool;

pub use connector::VagrantConnector;
