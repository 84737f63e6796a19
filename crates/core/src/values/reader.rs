//! Reads typed values from host data, and collects every fault.

use crate::values::data::{Data, is_secret_name};
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::fault::Fault;
use crate::values::field::DataField;
use crate::values::nearest;
use crate::values::value::{FromValue, Value};

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

    /// The value of `field`, or else its default.
    pub fn or_default<T: FromValue>(&mut self, field: &DataField) -> T {
        self.get(field).unwrap_or_else(|| field.default_value())
    }

    /// A text as `check` makes it; what `check` finds wrong is a fault.
    pub fn checked<T>(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text: String = self.get(field)?;
        check(&text).map_err(|problem| self.fault(field.key, problem)).ok()
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
            if is_known
                || *value == Value::Null
                || self.faults.iter().any(|it| it.key() == Some(key))
            {
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

    /// Adds the fault that `key` has no effect without the key `other`.
    pub fn needs(&mut self, key: impl Into<String>, other: impl Into<String>) {
        self.faults.push(Fault::needs(key, other));
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] with every fault, if there was one.
    pub fn finish(self) -> Result<()> {
        faults_to_result(self.faults)
    }
}

pub(crate) fn faults_to_result(faults: Vec<Fault>) -> Result<()> {
    if faults.is_empty() { Ok(()) } else { Err(Error::from_faults(faults)) }
}

/// Joins what several checks of data found wrong in one error, so that the user sees it all at
/// once. An error of another kind than [`ErrorKind::Data`] is returned alone.
///
/// # Errors
///
/// Collects the faults that the checks found.
pub fn all_checks(checks: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let mut target = None;
    let mut found: Vec<Fault> = Vec::new();
    for error in checks.into_iter().filter_map(Result::err) {
        if error.kind() != ErrorKind::Data {
            return Err(error);
        }
        target = target.or_else(|| error.target().map(str::to_owned));
        for fault in error.into_faults() {
            // Two links of a chain may read the same key.
            if !found.contains(&fault) {
                found.push(fault);
            }
        }
    }
    let joined = faults_to_result(found);
    joined.map_err(|error| target.into_iter().fold(error, Error::with_target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: DataField = DataField::new("port", "number", "");
    const WORD: DataField = DataField { key: "word", secret: true, ..PORT };

    #[test]
    fn checks_are_joined_in_one_error() {
        let data = |message: &str| Err(Error::new(ErrorKind::Data, message));
        let joined = all_checks([Ok(()), data("a"), data("b"), data("a")]).unwrap_err();
        assert_eq!((joined.kind(), joined.message()), (ErrorKind::Data, "a; b"));
        let faults = |keys: &[&str]| {
            let faults = keys.iter().map(|key| Fault::needs(*key, "x")).collect();
            Err(Error::from_faults(faults).with_target("h"))
        };
        let joined = all_checks([data("a"), faults(&["p", "q"]), faults(&["q", "r"])]).unwrap_err();
        let keys: Vec<_> = joined.faults().iter().map(Fault::key).collect();
        assert_eq!(keys, [None, Some("p"), Some("q"), Some("r")]);
        assert_eq!(joined.target(), Some("h"));
        let other = Err(Error::new(ErrorKind::Unsupported, "c"));
        assert_eq!(all_checks([data("a"), other]).unwrap_err().message(), "c");
        assert!(all_checks([Ok(()), Ok(())]).is_ok());
    }

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
}
