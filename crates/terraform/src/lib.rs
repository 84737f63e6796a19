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
mod settings;
mod tree;
mod words;

pub use connector::TerraformConnector;
