//! Hosts that Terraform has made, and commands on them.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

mod guard;
mod scene;
mod with_docker;
mod with_terraform;
