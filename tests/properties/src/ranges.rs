//! What a name with ranges stands for.

use hostlink_inventory::{MOST_NAMES, expand};

use crate::{Outcome, Verdict, one_line};

/// How many names of a range are looked at one by one, on each end.
const LOOKED_AT: usize = 50;

/// A range stands for names that stand for themselves, each once in a row, and not for too many.
pub(crate) fn property(text: &str) -> Outcome {
    let names = match expand(text) {
        Ok(names) => names,
        Err(error) => return one_line::rejected(&error),
    };
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(format!("{text:?} stands for {} names", names.len()));
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
