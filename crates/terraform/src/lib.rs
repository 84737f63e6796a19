#![doc = include_str!("../README.md")]

mod cache;
mod connector;
mod document;
mod fields;
mod hosts;
mod kinds;
mod listing;
mod outputs;
mod process;
mod program;
mod resources;
mod source;
mod tree;
mod words;

pub use connector::TerraformConnector;
