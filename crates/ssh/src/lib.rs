#![doc = include_str!("../README.md")]

mod destination;
mod fields;
mod name;
mod settings;
