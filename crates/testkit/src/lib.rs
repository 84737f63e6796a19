#![doc = include_str!("../README.md")]

mod cases;
mod child;
mod connections;
mod fake;
mod fixture;
mod matrix;
mod random;
mod recorder;
mod scene;
mod snapshot;
mod suite;
mod watch;

pub use connections::{Cut, Loss, SpawnOnly, SpawnOnlyConnector, WithoutFastPaths};
pub use fake::{Answer, FakeConnector, Matcher, Rule};
pub use fixture::{ConnectorFixture, Fixture, Signals};
pub use suite::{LeftOut, Suite, Unsupported};
