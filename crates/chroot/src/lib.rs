#![doc = include_str!("../README.md")]

mod connection;
mod connector;
mod entry;
mod fields;
mod name;
mod probe;
mod settings;

pub use connector::ChrootConnector;
