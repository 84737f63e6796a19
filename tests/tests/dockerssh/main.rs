//! Containers behind SSH: on the engine of another host, or by an SSH server of their own.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

/// The name tells `cargo xtask test --no-docker` to leave them out.
mod with_docker;
