#![doc = include_str!("../README.md")]

mod connector;
mod name;

pub use connector::DockerSshConnector;
