#![doc = include_str!("../README.md")]

mod channel;
mod destination;
mod fields;
mod name;
mod settings;
mod transport;
