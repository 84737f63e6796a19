#![doc = include_str!("../README.md")]

mod channel;
mod transport;
