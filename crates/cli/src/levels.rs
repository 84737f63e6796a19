//! The two places for an option: before TARGETS, and after the subcommand.

use clap::ArgMatches;
use clap::parser::ValueSource;

/// The options found in both places.
///
/// clap's `global` options would do, except for repeated ones, which it keeps from one place only.
#[derive(Debug)]
pub(crate) struct Levels<'a> {
    outer: &'a ArgMatches,
    inner: &'a ArgMatches,
}

impl<'a> Levels<'a> {
    pub(crate) fn new(outer: &'a ArgMatches, inner: &'a ArgMatches) -> Self {
        Self { outer, inner }
    }

    /// Returns the value of an option. The one after the subcommand wins.
    pub(crate) fn one<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Option<&'a T> {
        let found = |matches: &'a ArgMatches| matches.try_get_one::<T>(id).ok().flatten();
        found(self.inner).or_else(|| found(self.outer))
    }

    /// Returns every value of an option that may be repeated, in the order of the command line.
    pub(crate) fn all<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Vec<&'a T> {
        let found = |matches: &'a ArgMatches| matches.try_get_many::<T>(id).ok().flatten();
        [self.outer, self.inner].into_iter().filter_map(found).flatten().collect()
    }

    /// Returns whether a flag without a value is present.
    pub(crate) fn flag(&self, id: &str) -> bool {
        [self.outer, self.inner]
            .iter()
            .any(|matches| matches.try_get_one::<bool>(id).ok().flatten() == Some(&true))
    }

    /// How often a flag is present that may be repeated.
    pub(crate) fn count(&self, id: &str) -> u8 {
        let found = |matches: &ArgMatches| matches.try_get_one::<u8>(id).ok().flatten().copied();
        let counts = [self.outer, self.inner].into_iter().filter_map(found);
        counts.fold(0, u8::saturating_add)
    }

    /// Returns whether an option is present before TARGETS.
    pub(crate) fn is_outer(&self, id: &str) -> bool {
        self.outer.value_source(id) == Some(ValueSource::CommandLine)
    }
}
