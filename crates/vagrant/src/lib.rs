#![doc = include_str!("../README.md")]

mod connector;
mod directory;
mod fields;
mod machine_readable;
mod machines;
mod ssh_config;
mod tool;
mod vagrant_json;

pub use connector::VagrantConnector;
