//! Outputs, and the way to a value in one of them.

use hostlink_core::{Error, ErrorKind, Result, Value};

use crate::source::Source;
use crate::tree::{described, get, into_entries, masked};
use crate::words;

/// The values of all outputs, by name. All text of one that is sensitive is secret.
pub(crate) struct Outputs(Value);

impl Outputs {
    /// Reads what `output -json` has written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: it is something else.
    pub(crate) fn read(document: Value, source: &Source) -> Result<Self> {
        let is_output = |value: &Value| matches!(value, Value::Map(it) if it.contains_key("value"));
        match &document {
            Value::Map(outputs) if outputs.values().all(is_output) => Ok(Self::of_map(document)),
            _ => Err(source
                .refused("this is neither a state, nor what show -json or output -json writes")),
        }
    }

    /// The outputs of what has them at `outputs`.
    pub(crate) fn of(document: Value) -> Self {
        Self::of_map(into_entries(document).remove("outputs").unwrap_or(Value::Null))
    }

    fn of_map(outputs: Value) -> Self {
        let value = |output: Value| {
            let is_sensitive = get(&output, "sensitive") == Some(&Value::Bool(true));
            let value = into_entries(output).remove("value").unwrap_or(Value::Null);
            if is_sensitive { masked(value) } else { value }
        };
        let outputs = into_entries(outputs).into_iter();
        Self(Value::Map(outputs.map(|(name, output)| (name, value(output))).collect()))
    }

    /// The output of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        get(&self.0, name)
    }

    /// The names there are.
    pub(crate) fn names(&self) -> Vec<&str> {
        keys(&self.0)
    }

    /// The value at the end of a path: an output's name, then keys of maps and numbers of lists,
    /// with dots. As in pyinfra, a `value` may follow the output's name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: there is no such value; with the keys there are.
    pub(crate) fn find(&self, path: &str, source: &Source) -> Result<&Value> {
        let stop = match walk(&self.0, "", path) {
            Ok(found) => return Ok(found),
            Err(stop) => stop,
        };
        let Some(shorter) = without_value(path) else { return Err(stop.error(source)) };
        walk(&self.0, "", &shorter).map_err(|other| {
            let stop = if self.has_own_value(path) { stop } else { other };
            stop.error(source)
        })
    }

    /// Returns whether the value of the path's output has a key `value` itself.
    fn has_own_value(&self, path: &str) -> bool {
        let name = path.split('.').next().unwrap_or(path);
        self.get(name).is_some_and(|output| get(output, "value").is_some())
    }
}

/// The path without the `value` after the output's name, if there is one.
fn without_value(path: &str) -> Option<String> {
    let (name, rest) = path.split_once('.')?;
    let rest = rest.strip_prefix("value").filter(|it| it.is_empty() || it.starts_with('.'))?;
    Some(format!("{name}{rest}"))
}

fn keys(value: &Value) -> Vec<&str> {
    match value {
        Value::Map(entries) => entries.keys().collect(),
        _ => Vec::new(),
    }
}

/// The point at which a path leads no further.
struct Stop<'a> {
    walked: String,
    value: &'a Value,
    rest: String,
}

/// Keys may hold dots themselves: the shortest one that leads to the end is taken.
fn walk<'a>(value: &'a Value, walked: &str, rest: &str) -> Result<&'a Value, Stop<'a>> {
    let mut furthest = Stop { walked: walked.to_owned(), value, rest: rest.to_owned() };
    let ends = rest.match_indices('.').map(|(at, _)| at).chain([rest.len()]);
    for end in ends {
        let Some(inner) = child(value, &rest[..end]) else { continue };
        let dot = if walked.is_empty() { "" } else { "." };
        let walked = format!("{walked}{dot}{}", &rest[..end]);
        if end == rest.len() {
            return Ok(inner);
        }
        match walk(inner, &walked, &rest[end + 1..]) {
            Err(stop) if stop.walked.len() > furthest.walked.len() => furthest = stop,
            Err(_) => {}
            found => return found,
        }
    }
    Err(furthest)
}

fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::List(items) => items.get(key.parse::<usize>().ok()?),
        Value::Map(entries) => entries.get(key),
        _ => None,
    }
}

impl Stop<'_> {
    fn error(self, source: &Source) -> Error {
        let Self { walked, value, rest } = self;
        let problem = match value {
            Value::Map(_) if walked.is_empty() => {
                format!("there is no output {rest:?}; {}", words::known(&rest, &keys(value)))
            }
            Value::Map(_) => {
                format!("{walked} has no key {rest:?}; {}", words::known(&rest, &keys(value)))
            }
            Value::List(items) if items.is_empty() => format!("{walked} is an empty list"),
            Value::List(items) => {
                format!("{walked} is a list: {rest:?} is no number from 0 to {}", items.len() - 1)
            }
            other => format!("{walked} is {}: there is no {rest:?} in it", described(other)),
        };
        Error::new(ErrorKind::Inventory, format!("{source}: {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs() -> Outputs {
        let json = r#"{
            "web": {"value": {"eu.west": {"ips": ["a", "b"]}, "eu": {"n": 1}}},
            "own": {"value": {"value": ["c"]}},
            "list": {"value": []},
            "key": {"value": {"inner": "hunter2"}, "sensitive": true}
        }"#;
        Outputs::read(serde_json::from_str(json).unwrap(), &source()).unwrap()
    }

    fn source() -> Source {
        Source::File("x".into())
    }

    #[test]
    fn paths_lead_through_maps_and_lists() {
        for (path, expected) in [
            ("web.eu.west.ips.1", "\"b\""),
            ("web.value.eu.west.ips", "[\"a\", \"b\"]"),
            ("web.value.eu.n", "1"),
            ("own.value", "[\"c\"]"),
            ("own.value.value", "[\"c\"]"),
            ("list.value", "[]"),
            ("key.inner", "***"),
        ] {
            let found = outputs().find(path, &source()).map_or("no".to_owned(), Value::to_string);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_with_the_keys_there_are() {
        for (path, problem) in [
            (
                "wbe",
                "there is no output \"wbe\"; there are: web, own, list, key (did you mean web?)",
            ),
            ("web.eu.much", "web.eu has no key \"much\"; there are: n"),
            ("web.value.x.y", "web has no key \"x.y\"; there are: eu.west, eu"),
            ("web.eu.west.ips.2", "web.eu.west.ips is a list: \"2\" is no number from 0 to 1"),
            ("list.0", "list is an empty list"),
            ("key.inner.x", "key.inner is text: there is no \"x\" in it"),
        ] {
            let error = outputs().find(path, &source()).unwrap_err();
            assert_eq!(error.to_string(), format!("x: {problem}"));
        }
    }
}
