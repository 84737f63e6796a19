#![doc = include_str!("../README.md")]

#[cfg_attr(not(test), expect(dead_code, reason = "the connector is built on it"))]
mod master;
#[expect(dead_code, reason = "the connector reads them")]
mod settings;
