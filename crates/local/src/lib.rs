#![doc = include_str!("../README.md")]

mod connection;
mod connector;
mod control;
mod files;
mod process;
mod program;

pub use connector::LocalConnector;
pub use program::{Program, Unanswered, Written, find_program};
