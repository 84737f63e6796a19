//! Root directories: entering them, staying in them, leaving nothing behind; and chains of targets.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

mod chains;
mod confinement;
mod ending;
mod entering;
mod mounts;
mod scene;
mod spawn_command;
