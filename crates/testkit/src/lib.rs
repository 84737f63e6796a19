#![doc = include_str!("../README.md")]

mod ability;
mod cases;
mod child;
mod connections;
mod fake;
mod fixture;
mod lane;
mod matrix;
mod random;
mod recorder;
mod scene;
mod settings;
mod slowest;
mod snapshot;
mod suite;
mod time_out;
mod trials;
mod watch;
mod witness;
mod wrapping;

pub use ability::{Ability, Lack};
pub use connections::{Cut, Loss, SpawnOnly, SpawnOnlyConnector, WithoutFastPaths};
pub use fake::{Answer, FakeConnector, Matcher, Rule, finished};
pub use fixture::{ConnectorFixture, Fixture, Signals};
pub use suite::Suite;
pub use wrapping::{AbleConnector, differences};
