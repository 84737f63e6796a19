#![doc = include_str!("../README.md")]

mod connection;
mod connector;
mod control;
mod files;
mod process;
mod program;
mod readable;

pub use connector::LocalConnector;
pub use program::{Program, ProgramError, Written, find_program};
pub use readable::{is_readable_by_others, warn_of_readable};
