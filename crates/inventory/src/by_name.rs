//! Maps by name, of which there may be hundreds of thousands.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

/// A map by name, in order. The hash takes a fraction of the time of the standard one,
/// and is seeded anew in each process, so that names which all fall together cannot be made up
/// beforehand. It is no defense against an attacker who can watch a process for long.
pub(crate) type ByName<T> = IndexMap<String, T, RandomState>;

/// An empty map with room for `count` entries.
pub(crate) fn with_capacity<T>(count: usize) -> ByName<T> {
    ByName::with_capacity_and_hasher(count, RandomState::default())
}
