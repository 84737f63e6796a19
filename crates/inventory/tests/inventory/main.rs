//! Inventories of every kind of source, with connectors that reach nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod ansible;
mod ansible_hosts;
mod ansible_merge;
mod asking;
mod bad_input;
mod hostile;
mod joined;
mod limits;
mod patterns;
mod precedence;
mod scene;
mod schema;
mod sources;
mod untrusted;
