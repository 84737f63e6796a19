//! Connections that test the library rather than a target.

mod cut;
mod spawn_only;
mod without_fast_paths;

pub use cut::{Cut, Loss};
pub use spawn_only::{SpawnOnly, SpawnOnlyConnector};
pub use without_fast_paths::WithoutFastPaths;
