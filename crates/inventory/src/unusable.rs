//! Values that mean nothing here, in data. A host that has one is listed, and refused when it is
//! used.

use hostlink_core::{Map, Value};

/// The only key of the map that replaces such a value.
const KEY: &str = "__unusable__";

/// The value of a key whose own value cannot be used. `problem` says why, and where it was found.
pub(crate) fn value(problem: impl Into<String>) -> Value {
    Value::Map([(KEY, problem.into())].into_iter().collect::<Map>())
}

/// Returns why a value cannot be used, if that is so.
pub(crate) fn problem(value: &Value) -> Option<&str> {
    match value {
        Value::Map(entries) if entries.len() == 1 => match entries.get(KEY) {
            Some(Value::String(problem)) => Some(problem),
            _ => None,
        },
        _ => None,
    }
}
