//! Hosts that Terraform has made, and commands on them.

mod guard;
mod scene;
mod with_docker;
mod with_terraform;
