//! Containers over SSH: on the engine of another host, or through their own SSH server.

/// `cargo xtask test --no-docker` leaves modules of this name out.
mod with_docker;
