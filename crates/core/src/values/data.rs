//! Host data: settings by key.

use std::fmt;

use crate::values::field::DataField;
use crate::values::value::{FromValue, Map, Shown, Value};

/// Settings of a host by key (`ssh_user`, `_sudo`, your own), in the order they were given.
///
/// A clone is cheap: it shares what is there until one of both is changed.
#[derive(Clone, Default, PartialEq)]
pub struct Data(Map);

impl Data {
    /// Data without any key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key and returns the data, for literals.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Sets a key. An older value is replaced.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key, value);
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The value of a key; `None` too where it is [`Value::Null`].
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| **value != Value::Null)
    }

    /// Every key with its value, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter()
    }

    /// Sets every key that `over` has.
    pub fn merge(&mut self, over: &Data) {
        if self.0.is_empty() {
            self.clone_from(over);
        } else {
            self.0.extend(over.iter().map(|(key, value)| (key, value.clone())));
        }
    }

    /// A copy to show: what a key's name says is a secret is masked, too, at any depth.
    #[must_use]
    pub fn masked(&self) -> Self {
        self.iter().map(|(key, value)| (key, masked(key, value))).collect()
    }

    /// Masks the values of the fields that are secret.
    pub fn mask_fields(&mut self, fields: &[DataField]) {
        for field in fields.iter().filter(|field| field.secret) {
            if let Some(secret) = self.0.get(field.key).and_then(crate::Secret::from_value) {
                self.insert(field.key, secret);
            }
        }
    }
}

/// Masks what was given as a secret, and what a key's name says is one.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = self.masked();
        f.debug_map().entries(masked.iter().map(|(key, value)| (key, Shown(value)))).finish()
    }
}

/// What a key is called that holds a secret.
pub(crate) fn is_secret_name(key: &str) -> bool {
    let lower;
    let key = match key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => {
            lower = key.to_ascii_lowercase();
            lower.as_str()
        }
        false => key,
    };
    // Where a secret is, is none.
    let is_place = ["_file", "_env", "_command"].iter().any(|suffix| key.ends_with(suffix));
    let parts = ["password", "passphrase", "passwd", "secret", "token", "credential", "vault_pass"];
    let words = ["pass", "pwd", "apikey"];
    let keys = ["api_key", "access_key", "private_key", "encryption_key", "signing_key"];
    let is_word = |word: &str| words.contains(&word);
    !is_place
        && (parts.iter().any(|part| key.contains(part))
            || keys.iter().any(|name| key.ends_with(name))
            || key.split(['_', '-', '.']).any(is_word))
}

/// Whether a value was given as a secret, or the name of its key says that it is one, at any depth:
/// what is masked wherever it is shown.
#[must_use]
pub fn holds_secret(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Secret(_) => true,
        _ if is_secret_name(key) => true,
        Value::Map(entries) => entries.iter().any(|(key, value)| holds_secret(key, value)),
        Value::List(items) => items.iter().any(|item| holds_secret(key, item)),
        _ => false,
    }
}

fn masked(key: &str, value: &Value) -> Value {
    match value {
        // These say nothing, or too little.
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Map(entries) if !is_secret_name(key) => {
            Value::Map(entries.iter().map(|(key, value)| (key, masked(key, value))).collect())
        }
        Value::List(items) if !is_secret_name(key) => {
            Value::List(items.iter().map(|item| masked(key, item)).collect())
        }
        _ if is_secret_name(key) => Value::Secret(crate::Secret::from(crate::values::secret::MASK)),
        _ => value.clone(),
    }
}

impl From<Map> for Data {
    fn from(values: Map) -> Self {
        Self(values)
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Data {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_where_it_would_be_masked() {
        let inner = |key: &str| Value::Map([(key, "x")].into_iter().collect());
        for (key, value, is_secret) in [
            ("db_password", Value::from("x"), true),
            ("api_token", Value::Int(1), true),
            ("api_token", Value::Null, false),
            ("has_password", Value::Bool(true), false),
            ("db_password_file", Value::from("x"), false),
            ("db", inner("password"), true),
            ("db", Value::List(vec![inner("name"), inner("secret")]), true),
            ("db", inner("name"), false),
        ] {
            assert_eq!(holds_secret(key, &value), is_secret, "{key}: {value}");
            let data = Data::new().with(key, value.clone());
            assert_eq!(data.masked().get(key) != data.get(key), is_secret, "{key}: {value}");
        }
        assert!(holds_secret("db", &Value::List(vec![Value::Secret("x".into())])));
    }

    #[test]
    fn secrets_are_masked_whatever_they_look_like() {
        const WORD: DataField = DataField { secret: true, ..DataField::new("word", "text", "") };
        let mut data = Data::new().with("word", 12_345_678).with("_sudo_password", "hunter2");
        data.mask_fields(&[WORD]);
        let nested = Value::Map([("API_TOKEN", "hunter2")].into_iter().collect());
        data.insert("env", vec![nested]);
        data.insert("_su_password_file", "/etc/hostlink");
        data.insert("_use_sudo_password", true);
        let shown = format!("{data:?}");
        assert!(!shown.contains("123") && !shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("/etc/hostlink") && shown.contains("true"), "{shown}");
        assert!(!serde_json::to_string(&data.masked()).unwrap().contains("hunter2"));
        assert_eq!(data.get(WORD.key).and_then(String::from_value).as_deref(), Some("12345678"));
    }

    #[test]
    fn a_clone_is_not_changed_with_its_original() {
        let one = Data::new().with("a", 1).with("b", 2);
        let (mut other, mut third) = (one.clone(), one.clone());
        other.insert("a", 3);
        other.remove("b");
        third.merge(&Data::new().with("c", 4));
        assert_eq!(one, Data::new().with("a", 1).with("b", 2));
        assert_eq!(other, Data::new().with("a", 3));
        assert_eq!(third, Data::new().with("a", 1).with("b", 2).with("c", 4));
    }

    #[test]
    fn data_without_keys_are_all_the_same() {
        let mut emptied = Data::new().with("a", 1);
        emptied.remove("a");
        assert_eq!(emptied, Data::new());
        assert_eq!(Vec::<(String, Value)>::new().into_iter().collect::<Data>(), Data::new());
    }

    #[test]
    fn null_counts_as_not_given() {
        assert_eq!(Data::new().with("port", Value::Null).get("port"), None);
    }
}
