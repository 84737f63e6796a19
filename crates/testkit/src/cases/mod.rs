//! The behavior that every connector must have, one sentence per case.

use futures::future::BoxFuture;

use crate::ability::Ability;
use crate::scene::Scene;

/// A sentence, and the function that tests it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The sentence, with underscores for spaces.
    pub(crate) name: &'static str,
    /// The abilities that the target must have.
    pub(crate) needs: &'static [Ability],
    pub(crate) run: for<'a> fn(&'a Scene) -> BoxFuture<'a, anyhow::Result<()>>,
}

impl Case {
    /// Returns the sentence with spaces.
    pub(crate) fn sentence(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// Lists the cases of a file, which are async functions of a scene, each with the abilities that it
/// needs.
macro_rules! cases {
    ($($name:ident $(: $($need:ident)|+)?),+ $(,)?) => {
        pub(super) const CASES: &[$crate::cases::Case] = &[$($crate::cases::Case {
            name: stringify!($name),
            needs: &[$($($crate::ability::Ability::$need),+)?],
            run: |scene| Box::pin($name(scene)),
        }),+];
    };
}

mod arguments;
mod background;
mod directories;
mod environment;
mod file_cancel;
mod file_kill;
mod file_loss;
mod file_modes;
mod file_names;
mod file_places;
mod file_readers;
mod file_refusals;
mod files;
mod limits;
mod link;
mod memory;
mod output;
mod report;
mod retries;
mod secrets;
mod sessions;
mod shells;
mod status;
mod stdin;
mod terminal;
mod tree_cancel;
mod tree_conflicts;
mod tree_oddities;
mod trees;

/// Returns every case, in the order of the matrix.
pub(crate) fn all() -> Vec<Case> {
    [
        status::CASES,
        output::CASES,
        stdin::CASES,
        arguments::CASES,
        environment::CASES,
        directories::CASES,
        shells::CASES,
        terminal::CASES,
        sessions::CASES,
        limits::CASES,
        background::CASES,
        retries::CASES,
        report::CASES,
        secrets::CASES,
        link::CASES,
        files::CASES,
        file_readers::CASES,
        file_modes::CASES,
        file_places::CASES,
        file_names::CASES,
        file_refusals::CASES,
        file_cancel::CASES,
        file_kill::CASES,
        file_loss::CASES,
        memory::CASES,
        trees::CASES,
        tree_conflicts::CASES,
        tree_cancel::CASES,
        tree_oddities::CASES,
    ]
    .concat()
}
