//! Root directories: entering them, staying in them, leaving nothing behind; and chains of targets.

mod chains;
mod confinement;
mod ending;
mod entering;
mod mounts;
mod scene;
mod spawn_command;
