//! `DataReader` with what `@ssh` asks of its values.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostlink_core::{Data, DataField, DataReader, FromValue, MASK, Result, Secret, Target, Value};

use super::choice::HostKeyPolicy;
use super::{files, options};
use crate::{destination, fields};

/// Longer times are mistakes, and too long ones overflow ssh's numbers.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// What ssh reads from an askpass program: `ssh_askpass` in OpenSSH's `readpass.c`. It cuts off the
/// rest.
const LONGEST_SECRET: usize = 1023;

/// Reads one target's data and collects what is wrong with it.
pub(super) struct Reading<'a> {
    target: &'a Target,
    home: Option<&'a Path>,
    reader: DataReader<'a>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(target: &'a Target, home: Option<&'a Path>) -> Self {
        Self { target, home, reader: DataReader::new(&target.data) }
    }

    pub(super) fn data(&self) -> &'a Data {
        &self.target.data
    }

    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        self.reader.fault(key, problem);
    }

    pub(super) fn refuse_unknown(&mut self, prefix: &str, fields: &[DataField]) {
        self.reader.refuse_unknown(prefix, fields);
    }

    /// Ends the reading: an error that names the target and has every fault, if there was one.
    pub(super) fn finish(self) -> Result<()> {
        self.reader.finish().map_err(|error| error.with_target(&self.target.name))
    }

    /// A value of a type; one that does not fit is a fault.
    pub(super) fn get<T: FromValue>(&mut self, field: &DataField) -> Option<T> {
        self.reader.get(field)
    }

    /// A text as `check` makes it. What `check` says is wrong follows the value in the fault.
    pub(super) fn checked<T>(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text: String = self.get(field)?;
        check(&text)
            .map_err(|problem| {
                let shown = self.shown(field, &text);
                self.fault(field.key, format!("{shown} {problem}"));
            })
            .ok()
    }

    /// A part of a value for a fault: masked where the value was given as a secret.
    fn shown(&self, field: &DataField, part: &str) -> String {
        match self.data().get(field.key) {
            Some(value) if holds_secret(value) => MASK.to_owned(),
            _ if [fields::HOSTNAME.key, fields::PROXY_JUMP.key].contains(&field.key) => {
                destination::shown(part)
            }
            _ => format!("{part:?}"),
        }
    }

    /// The host name, else the target's own name; empty where neither is one.
    pub(super) fn host(&mut self) -> String {
        let field = &fields::HOSTNAME;
        if self.data().get(field.key).is_some() {
            return self.checked(field, host).unwrap_or_default();
        }
        let name = &self.target.name;
        host(name).unwrap_or_else(|problem| {
            let problem = format!("not given, and {} {problem}", destination::shown(name));
            self.fault(field.key, problem);
            String::new()
        })
    }

    pub(super) fn user(&mut self) -> Option<String> {
        self.checked(&fields::USER, |user| destination::check_user(user).map(|()| user.to_owned()))
    }

    /// A password or passphrase that ssh can be told.
    pub(super) fn secret(&mut self, field: &DataField) -> Option<Secret> {
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

    /// A path, made absolute, that `check` finds nothing wrong with.
    pub(super) fn file(
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

    /// As [`file`](Self::file), with ssh's word for "no file".
    pub(super) fn file_or_none(
        &mut self,
        field: &DataField,
        check: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Option<PathBuf> {
        match self.data().get(field.key) {
            Some(Value::String(text)) if text == "none" => Some(PathBuf::from(text)),
            _ => self.file(field, check),
        }
    }

    pub(super) fn host_keys(&mut self) -> Option<HostKeyPolicy> {
        let field = &fields::STRICT_HOST_KEY_CHECKING;
        if matches!(self.data().get(field.key), Some(Value::String(text)) if is_ask(text)) {
            self.fault(field.key, options::NO_ASK);
            return None;
        }
        self.get(field)
    }

    /// A time of at most a day.
    pub(super) fn limited(&mut self, field: &DataField) -> Option<Duration> {
        let time: Duration = self.get(field)?;
        if time > LONGEST {
            self.fault(field.key, format!("{} s is more than a day", time.as_secs_f64()));
        }
        Some(time)
    }

    pub(super) fn connect_timeout(&mut self) -> Option<Duration> {
        let time = self.limited(&fields::CONNECT_TIMEOUT)?;
        if time.is_zero() {
            self.fault(fields::CONNECT_TIMEOUT.key, "0 s leaves no time to connect");
        }
        Some(time)
    }

    pub(super) fn whole_seconds(&mut self, field: &DataField) -> Option<u32> {
        let time = self.limited(field)?;
        if time.subsec_nanos() != 0 {
            let problem = format!("{} s is not a whole number of seconds", time.as_secs_f64());
            self.fault(field.key, problem);
        }
        u32::try_from(time.as_secs()).ok()
    }

    pub(super) fn options(&mut self) -> Vec<String> {
        let field = &fields::OPTIONS;
        let entries: Vec<String> = self.get(field).unwrap_or_default();
        for entry in &entries {
            if let Err(problem) = options::check(entry) {
                let shown = self.shown(field, entry);
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

pub(super) fn is_ask(text: &str) -> bool {
    text.eq_ignore_ascii_case("ask")
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(values) => values.iter().any(holds_secret),
        _ => false,
    }
}
