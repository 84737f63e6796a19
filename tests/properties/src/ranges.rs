//! The names that a range gives.

use hostlink_inventory::{MOST_NAMES, expand};

use crate::{Outcome, Verdict, one_line};

/// How many names at each end of a range are checked one by one.
const LOOKED_AT: usize = 50;

/// A range gives names that give themselves, each once in a row, and not too many.
pub(crate) fn property(text: &str) -> Outcome {
    let names = match expand(text) {
        Ok(names) => names,
        Err(error) => return one_line::rejected(&error),
    };
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(format!("{text:?} gives {} names", names.len()));
    }
    let ends = names.iter().take(LOOKED_AT).chain(names.iter().rev().take(LOOKED_AT));
    for name in ends {
        match expand(name) {
            Ok(again) if again == [name.as_str()] => {}
            other => return Err(format!("{text:?} gives {name:?}, which gives {other:?}")),
        }
    }
    Ok(Verdict::Accepted)
}
