#![doc = include_str!("../README.md")]

mod connection;
mod connector;
mod entry;
mod probe;
mod settings;

pub use connector::ChrootConnector;
