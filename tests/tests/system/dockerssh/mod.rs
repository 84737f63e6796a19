//! Containers behind SSH: on the engine of another host, or by an SSH server of their own.

/// The name tells `cargo xtask test --no-docker` to leave them out.
mod with_docker;
