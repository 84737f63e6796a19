//! Containers of Docker, over the facade and the command.

mod commands_with_docker;
mod engines_with_docker;
mod faults_with_docker;
mod images_with_docker;
mod podman_images_with_docker;
mod sweep_with_docker;
mod through_with_docker;
