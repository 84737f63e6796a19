//! The two places where an option may stand: before TARGETS, and behind the subcommand's word.

use clap::ArgMatches;
use clap::parser::ValueSource;

/// What was found in both places.
///
/// Options of clap that are `global` would do, but for those that are repeated: of them it keeps
/// one place only.
#[derive(Debug)]
pub(crate) struct Levels<'a> {
    outer: &'a ArgMatches,
    inner: &'a ArgMatches,
}

impl<'a> Levels<'a> {
    pub(crate) fn new(outer: &'a ArgMatches, inner: &'a ArgMatches) -> Self {
        Self { outer, inner }
    }

    /// The value of an option; the one behind the subcommand's word wins.
    pub(crate) fn one<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Option<&'a T> {
        let found = |matches: &'a ArgMatches| matches.try_get_one::<T>(id).ok().flatten();
        found(self.inner).or_else(|| found(self.outer))
    }

    /// Every value of an option that may be repeated, in the order of the command line.
    pub(crate) fn all<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Vec<&'a T> {
        let found = |matches: &'a ArgMatches| matches.try_get_many::<T>(id).ok().flatten();
        [self.outer, self.inner].into_iter().filter_map(found).flatten().collect()
    }

    /// Whether a flag without a value is there.
    pub(crate) fn flag(&self, id: &str) -> bool {
        [self.outer, self.inner]
            .iter()
            .any(|matches| matches.try_get_one::<bool>(id).ok().flatten() == Some(&true))
    }

    /// Whether an option is there before TARGETS.
    pub(crate) fn is_outer(&self, id: &str) -> bool {
        self.outer.value_source(id) == Some(ValueSource::CommandLine)
    }
}
