//! Values of host data, and their conversion to other types.

mod map;

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;

use crate::values::secret::Secret;

pub use map::Map;

/// One value of host data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: the key counts as unset.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A value that is masked wherever it is shown.
    Secret(Secret),
    /// Several values in order.
    List(Vec<Value>),
    /// Named values in order.
    Map(Map),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Secret(value) => write!(f, "{value}"),
            Self::List(values) => f.debug_list().entries(values.iter().map(Shown)).finish(),
            Self::Map(values) => write!(f, "{values}"),
        }
    }
}

/// `Debug` that is `Display`, for the entries of lists.
pub(crate) struct Shown<'a>(pub(crate) &'a Value);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

macro_rules! value_from {
    ($($variant:ident: $($from:ty),+;)+) => {$($(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )+)+};
}

value_from! {
    Bool: bool;
    Int: i64, i32, u32, u16;
    Float: f64;
    String: String, &str, &String;
    Secret: Secret;
    Map: Map, IndexMap<String, Value>;
}

/// A number above [`i64::MAX`] becomes text, which keeps all its digits.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or_else(|_| Self::String(number.to_string()), Self::Int)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl Value {
    /// Returns the choice of this word: text in small or capital letters, or a boolean (YAML's yes
    /// and no), which is the word `true` or `false`. `None` for any other value.
    #[must_use]
    pub fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let word = match self {
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::String(text) => text,
            _ => return None,
        };
        words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, choice)| *choice)
    }

    /// Returns whether it contains a whole number that does not fit into 64 bits: if it was read
    /// from JSON, it has lost digits.
    #[must_use]
    pub fn has_lost_digits(&self) -> bool {
        match self {
            Self::Float(number) => number.fract() == 0.0 && number.abs() >= TWO_TO_63,
            Self::List(items) => items.iter().any(Self::has_lost_digits),
            Self::Map(entries) => entries.values().any(Self::has_lost_digits),
            _ => false,
        }
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// A type that can be read from a [`Value`].
///
/// Numbers and booleans are read from text, too, since a command line has only text.
pub trait FromValue: Sized {
    /// The expected type, for an error: "a whole number", "true or false".
    const EXPECTED: &'static str;

    /// Returns the typed value, or `None` if the value has another type.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: &Value) -> Option<Self> {
        value.choice(&[("true", true), ("yes", true), ("false", false), ("no", false)])
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Secret(secret) => Some(secret.expose().to_owned()),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl FromValue for Secret {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).map(Secret::new)
    }
}

impl FromValue for i32 {
    const EXPECTED: &'static str = "a whole number";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => (*number).try_into().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl FromValue for u32 {
    const EXPECTED: &'static str = "a whole number, 0 or more";

    fn from_value(value: &Value) -> Option<Self> {
        i32::from_value(value)?.try_into().ok()
    }
}

impl FromValue for Duration {
    const EXPECTED: &'static str = "a number of seconds, or a number with ms, s, m or h, like 90s";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(seconds) => Some(Self::from_secs((*seconds).try_into().ok()?)),
            Value::Float(seconds) => Self::try_from_secs_f64(*seconds).ok(),
            Value::String(text) => parse_duration(text.trim()),
            _ => None,
        }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.trim().parse::<f64>().ok()? * factor).ok()
}

impl<T: FromValue> FromValue for Vec<T> {
    const EXPECTED: &'static str = "a list, or text with commas";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(T::from_value).collect(),
            Value::String(text) => {
                text.split(',').map(|item| T::from_value(&item.trim().into())).collect()
            }
            single => Some(vec![T::from_value(single)?]),
        }
    }
}

impl<T: FromValue> FromValue for IndexMap<String, T> {
    const EXPECTED: &'static str = "a map of names to values";

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Map(values) = value else { return None };
        values.iter().map(|(key, value)| Some((key.to_owned(), T::from_value(value)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        for (text, milliseconds) in
            [("5", 5000), ("1.5", 1500), ("250ms", 250), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(
                Duration::from_value(&text.into()),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["abc", "", "-1", "5 parsecs", "1e300", "nan", "s"] {
            assert_eq!(Duration::from_value(&text.into()), None, "{text}");
        }
    }

    #[test]
    fn text_is_read_as_the_type_that_is_asked_for() {
        assert_eq!(bool::from_value(&"Yes".into()), Some(true));
        assert_eq!(bool::from_value(&"2".into()), None);
        assert_eq!(Vec::<i32>::from_value(&"0, 2".into()), Some(vec![0, 2]));
        assert_eq!(u32::from_value(&Value::Int(-1)), None);
        assert_eq!(String::from_value(&Value::Int(22)), Some("22".into()));
    }

    #[test]
    fn whole_numbers_of_json_that_do_not_fit_are_known() {
        for (json, has_lost) in [
            ("[9223372036854775807, -9223372036854775808, 1.5, 1e18]", false),
            ("9223372036854775808", true),
            ("{\"a\": [123456789012345678901]}", true),
            ("-123456789012345678901", true),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(value.has_lost_digits(), has_lost, "{json}");
        }
    }

    #[test]
    fn a_secret_is_masked_at_any_depth() {
        let value = Value::List(vec![Value::Secret("hunter2".into())]);
        assert_eq!(value.to_string(), "[***]");
        assert!(!format!("{value:?}").contains("hunter2"));
    }
}
