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

/// Returns whether a key is the name of a secret: one of its words says so, and its last word does
/// not say that it is something about the secret (`password_file`, `token_url`).
pub(crate) fn is_secret_name(key: &str) -> bool {
    const PARTS: [&str; 5] = ["pass", "pwd", "secret", "token", "credential"];
    // Most keys cost no memory here.
    let has = |part: &str| {
        let mut windows = key.as_bytes().windows(part.len());
        windows.any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    };
    if !PARTS.iter().any(|part| has(part)) && !has("key") {
        return false;
    }
    let words = words(key);
    let is_about = words.last().is_some_and(|last| ABOUT_A_SECRET.contains(&last.as_str()));
    !is_about && (words.iter().any(|word| is_secret_word(word)) || is_secret_key(&words))
}

/// The last word of a key that holds something about a secret.
const ABOUT_A_SECRET: [&str; 24] = [
    "age",
    "auth",
    "authentication",
    "command",
    "dir",
    "enabled",
    "env",
    "expires",
    "expiry",
    "file",
    "id",
    "length",
    "lifetime",
    "name",
    "path",
    "policy",
    "prompt",
    "required",
    "rotation",
    "temporary",
    "ttl",
    "type",
    "uri",
    "url",
];

/// The words of a key in lower case: `db_password`, `db-password` and `dbPassword` have two.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in key.chars() {
        let is_separator = ['_', '-', '.', ' ', '/'].contains(&character);
        if is_separator || (was_lower && character.is_ascii_uppercase()) {
            words.push(String::new());
        }
        if let (false, Some(word)) = (is_separator, words.last_mut()) {
            word.push(character.to_ascii_lowercase());
        }
        was_lower = character.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns whether a word names a secret, alone or as the end of a compound (`dbpassword`), and
/// does not deny it (`nopasswd`).
fn is_secret_word(word: &str) -> bool {
    const SHORT: [&str; 3] = ["pass", "pwd", "apikey"];
    const LONG: [&str; 6] = ["password", "passphrase", "passwd", "secret", "token", "credential"];
    let singular = word.strip_suffix('s').filter(|_| !word.ends_with("ss")).unwrap_or(word);
    let denies = singular.strip_prefix("no").is_some_and(|rest| LONG.contains(&rest));
    SHORT.contains(&word) || (!denies && LONG.iter().any(|end| singular.ends_with(end)))
}

/// Returns whether a key ends in the name of a key that is a secret (`aws_access_key`).
fn is_secret_key(words: &[String]) -> bool {
    const KINDS: [&str; 6] = ["access", "api", "encryption", "private", "secret", "signing"];
    match words {
        [.., kind, key] => key == "key" && KINDS.contains(&kind.as_str()),
        _ => false,
    }
}

/// Returns whether a value was given as a secret, or the name of its key says that it is one, at
/// any depth. Such a value is masked wherever it is shown.
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
            ("dbpassword", Value::from("x"), true),
            ("dbPassword", Value::from("x"), true),
            ("password_prod", Value::from("x"), true),
            ("API-TOKENS", Value::from("x"), true),
            ("vault_pass", Value::from("x"), true),
            ("aws.secretAccessKey", Value::from("x"), true),
            ("nopasswd", Value::from("yes"), false),
            ("sudo_nopasswd", Value::from("yes"), false),
            ("password_temporary", Value::from("yes"), false),
            ("PasswordAuthentication", Value::from("yes"), false),
            ("passwordless", Value::from("yes"), false),
            ("bypass", Value::from("yes"), false),
            ("token_url", Value::from("x"), false),
            ("secretary", Value::from("x"), false),
            ("keyboard", Value::from("x"), false),
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
