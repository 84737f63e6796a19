#![doc = include_str!("../README.md")]

mod connection;
mod connector;
mod control;
mod files;
mod process;

pub use connector::LocalConnector;
