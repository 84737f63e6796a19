//! Ways through values that came out of JSON.

use hostlink_core::{Map, Secret, Value};

/// The value of a map's key; `None` too where it is null.
pub(crate) fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Map(entries) => entries.get(key).filter(|found| **found != Value::Null),
        _ => None,
    }
}

/// The text of a map's key.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    get(value, key).and_then(as_text)
}

/// The items of a map's key; none if there is no list.
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match get(value, key) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

/// The text that a value is.
pub(crate) fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The entries of a map; a map without any if it is none.
pub(crate) fn into_entries(value: Value) -> Map {
    match value {
        Value::Map(entries) => entries,
        _ => Map::new(),
    }
}

/// Every text below a value at the end of a path like `network.ip`, in order. Lists stand for their
/// items.
pub(crate) fn texts<'a>(value: &'a Value, path: &str) -> Vec<&'a str> {
    let mut found = vec![value];
    for key in path.split('.') {
        found = found.into_iter().flat_map(flat).filter_map(|it| get(it, key)).collect();
    }
    found.into_iter().flat_map(flat).filter_map(as_text).collect()
}

/// The items of a list, those of lists in it too; any other value is the only one.
pub(crate) fn flat(value: &Value) -> Vec<&Value> {
    match value {
        Value::List(items) => items.iter().flat_map(flat).collect(),
        single => vec![single],
    }
}

/// The kind of a value, for an error: the value itself may be a secret.
pub(crate) fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::String(_) | Value::Secret(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        _ => "something else",
    }
}

/// The same with every text a secret.
pub(crate) fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::Secret(Secret::new(text)),
        Value::List(items) => Value::List(items.into_iter().map(masked).collect()),
        Value::Map(entries) => {
            Value::Map(entries.into_iter().map(|(key, value)| (key, masked(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_path_goes_through_lists() {
        let found = value(r#"{"a":[{"b":["x",["y"]]},{"b":null},{"b":"z"},{"c":"no"}],"d":3}"#);
        assert_eq!(texts(&found, "a.b"), ["x", "y", "z"]);
        assert!(texts(&found, "d").is_empty() && texts(&found, "a.e").is_empty());
    }

    #[test]
    fn every_text_becomes_a_secret_at_any_depth() {
        let found = masked(value(r#"{"a":["hunter2",{"b":"hunter2"}],"c":"hunter2","d":1}"#));
        let shown = format!("{found} {found:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(get(&found, "d"), Some(&Value::Int(1)));
    }
}
