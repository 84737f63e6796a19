//! `--data KEY=VALUE`.

use hostlink::{Data, Registry, Result, Value, inventory};

use crate::explain::usage;

/// Parses the pairs. A later one of the same key wins.
pub(crate) fn parse<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Data> {
    pairs.into_iter().map(pair).collect()
}

/// Refuses misspelled keys, and names `--data` in the error.
pub(crate) fn check_keys(data: &Data, registry: &Registry) -> Result<()> {
    inventory::check_keys(data, registry)
        .map_err(|error| usage(format!("--data {}", error.message())))
}

fn pair(pair: &str) -> Result<(String, Value)> {
    // A pair without a key is not shown: it may be a secret.
    let (key, value) = pair
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| usage("--data: write KEY=VALUE, with an equals sign"))?;
    let value = if value.starts_with(['{', '[']) { json(key, value)? } else { value.into() };
    Ok((key.to_owned(), value))
}

fn json(key: &str, text: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| usage(format!("--data {key}: the value is not valid JSON: {error}")))?;
    if value.has_lost_digits() {
        let problem = "a whole number does not fit into 64 bits: put it in quotes";
        return Err(usage(format!("--data {key}: {problem}")));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_and_json_is_json() {
        let data = parse(["a=1", "b={\"x\":[1,2.5,true,null]}", "c==", "a=2"]).unwrap();
        assert_eq!(data.get("a"), Some(&"2".into()));
        assert_eq!(data.get("c"), Some(&"=".into()));
        let items = vec![Value::Int(1), Value::Float(2.5), Value::Bool(true), Value::Null];
        let map = [("x".to_owned(), Value::List(items))].into_iter().collect();
        assert_eq!(data.get("b"), Some(&Value::Map(map)));
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_value() {
        for (pair, expected) in [
            ("hunter2", "--data: write KEY=VALUE"),
            ("=hunter2", "--data: write KEY=VALUE"),
            ("x={hunter2", "--data x: the value is not valid JSON"),
            ("x=[123456789012345678901]", "--data x: a whole number does not fit into 64 bits"),
        ] {
            let error = parse([pair]).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{pair}: {error}");
        }
    }

    #[test]
    fn a_misspelt_argument_is_refused_and_own_keys_are_not() {
        let check = |key: &str| check_keys(&Data::new().with(key, "x"), &Registry::new());
        check("_sudo_user").unwrap();
        check("mine").unwrap();
        let error = check("_sudo_usr").unwrap_err().to_string();
        assert!(error.contains("(did you mean _sudo_user?)"), "{error}");
        assert!(!check("_entirely_else").unwrap_err().to_string().contains("mean"));
    }
}
