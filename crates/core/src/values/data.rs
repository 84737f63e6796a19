//! Host data: settings by key, described by fields, read with every fault at once.

use std::fmt;

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::nearest;
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
fn is_secret_name(key: &str) -> bool {
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

/// A key that a connector or an argument reads from host data.
#[derive(Clone, Copy, Debug)]
pub struct DataField {
    /// The key, as users write it.
    pub key: &'static str,
    /// What it means, in one sentence.
    pub description: &'static str,
    /// The type, as help texts name it: "text", "true or false", "seconds".
    pub type_name: &'static str,
    /// The default as help texts show it; empty where there is none.
    pub default: &'static str,
    /// Whether its value is masked wherever it would be shown.
    pub secret: bool,
}

/// Something wrong with one key of host data.
#[derive(Clone, Debug)]
pub struct Fault {
    key: String,
    problem: String,
}

impl Fault {
    /// `problem` says what stands there and what was expected. It must not hold a secret.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// Reads typed values from [`Data`] and collects every fault, so that the user sees them all at
/// once.
#[derive(Debug)]
pub struct DataReader<'a> {
    data: &'a Data,
    faults: Vec<Fault>,
}

impl<'a> DataReader<'a> {
    /// A reader without faults yet.
    #[must_use]
    pub fn new(data: &'a Data) -> Self {
        Self { data, faults: Vec::new() }
    }

    /// The value of `field`; `None` where it is not given, or does not fit (which is then a fault).
    pub fn get<T: FromValue>(&mut self, field: &DataField) -> Option<T> {
        self.typed(field.key, field.secret)
    }

    /// The value of a key of the user's own, likewise. A fault shows it, unless the key is called
    /// like a secret.
    pub fn own<T: FromValue>(&mut self, key: &str) -> Option<T> {
        self.typed(key, is_secret_name(key))
    }

    fn typed<T: FromValue>(&mut self, key: &str, is_secret: bool) -> Option<T> {
        let value = self.data.get(key)?;
        let typed = T::from_value(value);
        if typed.is_none() {
            let shown =
                if is_secret { crate::values::secret::MASK.to_owned() } else { value.to_string() };
            self.fault(key, format!("{shown} is not {}", T::EXPECTED));
        }
        typed
    }

    /// Adds a fault for every key that begins with `prefix` and is none of `fields`, with the
    /// nearest of these. Keys without a value, and those that have a fault already, are left out.
    /// Values are not shown: it may be a misspelt password.
    pub fn refuse_unknown(&mut self, prefix: &str, fields: &[DataField]) {
        for (key, value) in self.data.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let is_known = fields.iter().any(|field| field.key == key);
            if is_known || *value == Value::Null || self.faults.iter().any(|it| it.key == key) {
                continue;
            }
            let hint = match nearest::hint(key, fields.iter().map(|field| field.key)) {
                hint if hint.is_empty() => {
                    format!(", and your own keys must not begin with {prefix}")
                }
                hint => hint,
            };
            self.fault(key, format!("there is no such key{hint}"));
        }
    }

    /// Adds a fault that the caller found.
    pub fn fault(&mut self, key: impl Into<String>, problem: impl Into<String>) {
        self.faults.push(Fault::new(key, problem));
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] with every fault, if there was one.
    pub fn finish(self) -> Result<()> {
        faults_to_result(&self.faults)
    }
}

pub(crate) fn faults_to_result(faults: &[Fault]) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
    Err(Error::new(ErrorKind::Data, all.join("; ")))
}

/// What several checks of data found wrong, in one error, so that the user sees it all at once.
/// Another error than [`ErrorKind::Data`] is told alone.
///
/// # Errors
///
/// What the checks found, if they found anything.
pub fn all_checks(checks: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let mut found: Vec<Error> = Vec::new();
    for error in checks.into_iter().filter_map(Result::err) {
        if error.kind() != ErrorKind::Data {
            return Err(error);
        }
        // Two links of a chain may read the same key.
        if found.iter().all(|known| known.message() != error.message()) {
            found.push(error);
        }
    }
    if found.len() < 2 {
        return found.pop().map_or(Ok(()), Err);
    }
    let messages: Vec<&str> = found.iter().map(Error::message).collect();
    let joined = Error::new(ErrorKind::Data, messages.join("; "));
    let target = found.iter().find_map(Error::target);
    Err(target.into_iter().fold(joined, Error::with_target))
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
    fn checks_are_joined_in_one_error() {
        let data = |message: &str| Err(Error::new(ErrorKind::Data, message));
        let joined = all_checks([Ok(()), data("a"), data("b"), data("a")]).unwrap_err();
        assert_eq!((joined.kind(), joined.message()), (ErrorKind::Data, "a; b"));
        let other = Err(Error::new(ErrorKind::Unsupported, "c"));
        assert_eq!(all_checks([data("a"), other]).unwrap_err().message(), "c");
        assert!(all_checks([Ok(()), Ok(())]).is_ok());
    }

    const PORT: DataField =
        DataField { key: "port", description: "", type_name: "number", default: "", secret: false };
    const WORD: DataField = DataField { key: "word", secret: true, ..PORT };

    #[test]
    fn every_fault_is_listed_and_no_secret_is_shown() {
        let data = Data::new().with("port", "x").with("word", vec![Value::from("hunter2")]);
        let mut reader = DataReader::new(&data);
        assert_eq!(reader.get::<u32>(&PORT), None);
        assert_eq!(reader.get::<String>(&WORD), None);
        let error = reader.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "port: \"x\" is not a whole number, 0 or more; word: *** is not text"
        );
    }

    #[test]
    fn unknown_keys_are_refused_without_their_values() {
        let fields = ["x_port", "x_user"].map(|key| DataField { key, ..PORT });
        let data =
            [("x_port", "1"), ("x_prot", "hunter2"), ("x_entirely", "hunter2"), ("y_prot", "")];
        let data = data.into_iter().collect::<Data>().with("x_old", 1).with("x_null", Value::Null);
        let mut reader = DataReader::new(&data);
        reader.fault("x_old", "it is called x_port");
        reader.refuse_unknown("x_", &fields);
        assert_eq!(
            reader.finish().unwrap_err().to_string(),
            "x_old: it is called x_port; x_prot: there is no such key (did you mean x_port?); \
             x_entirely: there is no such key, and your own keys must not begin with x_"
        );
    }

    #[test]
    fn secrets_are_masked_whatever_they_look_like() {
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
        assert_eq!(DataReader::new(&data).get::<String>(&WORD).as_deref(), Some("12345678"));
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
