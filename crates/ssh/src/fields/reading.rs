//! `DataReader` with the checks for values of `@ssh`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostlink_core::{Data, DataField, DataReader, FromValue, MASK, Result, Secret, Target, Value};

use super::choice::{HostKeyPolicy, Port};
use super::{files, jump, options};
use crate::destination;

/// The longest time. Longer ones are mistakes, and overflow ssh's numbers at some point.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The most bytes that ssh reads from an askpass program: `ssh_askpass` in OpenSSH's `readpass.c`.
/// It ignores the rest.
const LONGEST_SECRET: usize = 1023;

/// Reads a target's data and collects the faults.
pub(crate) struct Reading<'a> {
    target: &'a Target,
    home: Option<&'a Path>,
    reader: DataReader<'a>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(target: &'a Target, home: Option<&'a Path>) -> Self {
        Self { target, home, reader: DataReader::new(&target.data) }
    }

    pub(crate) fn data(&self) -> &'a Data {
        &self.target.data
    }

    pub(crate) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        self.reader.fault(key, problem);
    }

    pub(crate) fn refuse_unknown(&mut self, prefix: &str, fields: &[DataField]) {
        self.reader.refuse_unknown(prefix, fields);
    }

    /// Ends the reading. If there are faults, returns an error with all of them and the target's
    /// name.
    pub(crate) fn finish(self) -> Result<()> {
        self.reader.finish().map_err(|error| error.with_target(&self.target.name))
    }

    /// Returns a value of a type. A value of another type is a fault.
    pub(crate) fn get<T: FromValue>(&mut self, field: &DataField) -> Option<T> {
        self.reader.get(field)
    }

    /// Returns the value or the field's default.
    pub(crate) fn or_default<T: FromValue>(&mut self, field: &DataField) -> T {
        self.reader.or_default(field)
    }

    /// Returns a text, converted by `check`. An error of `check` follows the value in the fault.
    pub(crate) fn checked<T>(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.checked_as(field, |text| format!("{text:?}"), check)
    }

    /// As `checked`, with a function that shows the value.
    fn checked_as<T>(
        &mut self,
        field: &DataField,
        show: impl FnOnce(&str) -> String,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let is_secret = self.data().get(field.key).is_some_and(holds_secret);
        self.reader.checked(field, |text| {
            check(text).map_err(|problem| {
                let shown = if is_secret { MASK.to_owned() } else { show(text) };
                format!("{shown} {problem}")
            })
        })
    }

    /// Returns the host name or the target's own name; empty if neither is valid.
    pub(crate) fn host(&mut self, field: &DataField) -> String {
        if self.data().get(field.key).is_some() {
            return self.checked_as(field, destination::shown, host).unwrap_or_default();
        }
        let name = &self.target.name;
        host(name).unwrap_or_else(|problem| {
            let problem = format!("not given, and {} {problem}", destination::shown(name));
            self.fault(field.key, problem);
            String::new()
        })
    }

    pub(crate) fn port(&mut self, field: &DataField) -> Option<u16> {
        self.get::<Port>(field).map(|port| port.0)
    }

    pub(crate) fn hops(&mut self, field: &DataField) -> Option<String> {
        self.checked_as(field, destination::shown, jump::parse)
    }

    pub(crate) fn user(&mut self, field: &DataField) -> Option<String> {
        self.checked(field, |user| destination::check_user(user).map(|()| user.to_owned()))
    }

    /// Returns a password or passphrase that ssh can read.
    pub(crate) fn secret(&mut self, field: &DataField) -> Option<Secret> {
        let secret: Secret = self.get(field)?;
        if secret.expose().contains(['\n', '\r', '\0']) {
            self.fault(field.key, "it holds a line break or a NUL, which ssh cannot read");
        }
        if secret.expose().len() > LONGEST_SECRET {
            let problem = format!("it is longer than ssh can read ({LONGEST_SECRET} bytes)");
            self.fault(field.key, problem);
        }
        Some(secret)
    }

    /// Returns an absolute path that `check` accepts.
    pub(crate) fn file(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Option<PathBuf> {
        let home = self.home;
        self.checked(field, |text| {
            let path = files::path(text, home)?;
            check(&path).map(|()| path)
        })
    }

    /// As [`file`](Self::file), with `none` for no file.
    pub(crate) fn file_or_none(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Option<PathBuf> {
        match self.data().get(field.key) {
            Some(Value::String(text)) if text == "none" => Some(PathBuf::from(text)),
            _ => self.file(field, check),
        }
    }

    pub(crate) fn host_keys(&mut self, field: &DataField) -> Option<HostKeyPolicy> {
        let given = self.data().get(field.key);
        if matches!(given, Some(Value::String(text)) if options::is_ask(text)) {
            self.fault(field.key, options::NO_ASK);
            return None;
        }
        self.get(field)
    }

    /// Returns a time of at most a day.
    pub(crate) fn time(&mut self, field: &DataField) -> Option<Duration> {
        let time: Duration = self.get(field)?;
        if time > LONGEST {
            self.fault(field.key, format!("{} s is more than a day", time.as_secs_f64()));
        }
        Some(time)
    }

    /// Returns a time limit for a connection, of at most a day.
    pub(crate) fn limit(&mut self, field: &DataField) -> Option<Duration> {
        let time = self.time(field)?;
        if time.is_zero() {
            self.fault(field.key, "0 s leaves no time to connect");
        }
        Some(time)
    }

    pub(crate) fn whole_seconds(&mut self, field: &DataField) -> Option<u32> {
        let time = self.time(field)?;
        if time.subsec_nanos() != 0 {
            let problem = format!("{} s is not a whole number of seconds", time.as_secs_f64());
            self.fault(field.key, problem);
        }
        u32::try_from(time.as_secs()).ok()
    }

    pub(crate) fn options(&mut self, field: &DataField) -> Vec<String> {
        let entries: Vec<String> = self.get(field).unwrap_or_default();
        let is_secret = self.data().get(field.key).is_some_and(holds_secret);
        for entry in &entries {
            if let Err(problem) = options::check(entry) {
                let shown = if is_secret { MASK.to_owned() } else { format!("{entry:?}") };
                self.fault(field.key, format!("{shown} {problem}"));
            }
        }
        entries
    }
}

fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match destination::check_host(bare) {
        Ok(()) => Ok(bare.to_owned()),
        Err(problem) if text.contains([':', '@']) => Err(format!(
            "{problem}: write the host alone, its port in ssh_port and the user in ssh_user"
        )),
        Err(problem) => Err(problem),
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(values) => values.iter().any(holds_secret),
        _ => false,
    }
}
