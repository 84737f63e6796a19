//! Maps by name, of which there may be hundreds of thousands.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

/// What stands under names, in order. The hash is random and takes a fraction of the time of the standard one's; who writes an
/// inventory never sees what it comes to, so names that all fall together cannot be made up.
pub(crate) type ByName<T> = IndexMap<String, T, RandomState>;

/// An empty one with room for so many.
pub(crate) fn with_capacity<T>(count: usize) -> ByName<T> {
    ByName::with_capacity_and_hasher(count, RandomState::default())
}
