//! Inventories of every kind of source, with connectors that reach nothing.

mod ansible;
mod bad_input;
mod limits;
mod precedence;
mod scene;
mod sources;
