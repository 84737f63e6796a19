//! Containers of Docker, over the facade and the command.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

mod commands_with_docker;
mod engines_with_docker;
mod faults_with_docker;
mod images_with_docker;
mod podman_images_with_docker;
mod sweep_with_docker;
mod through_with_docker;
