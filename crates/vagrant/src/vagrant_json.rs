//! `@vagrant.json`: groups and data of machines, as pyinfra reads it.

use std::io;
use std::path::Path;

use hostlink_core::{Context, Error, ErrorKind, Result, Value, holds_secret, read_whole};
use hostlink_local::{is_readable_by_others, warn_of_readable};
use indexmap::IndexMap;
use serde::Deserialize;

/// The file's name.
pub(crate) const FILE: &str = "@vagrant.json";

/// A longer one is refused: 16 MiB.
const MOST: u64 = 16 << 20;

/// The content of the file.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// The groups of each machine.
    #[serde(default)]
    pub(crate) groups: IndexMap<String, Vec<String>>,
    /// The data of each machine.
    #[serde(default)]
    pub(crate) data: IndexMap<String, IndexMap<String, Value>>,
}

impl Options {
    /// Reads it. A directory without one has no options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`]: it cannot be read, or is not what it should be, with line and column.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let refused =
            |problem: String| Error::new(ErrorKind::Data, format!("{}: {problem}", path.display()));
        let text = match read_whole(&path, MOST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refused(error.to_string()).with_source(error)),
        };
        let read: Self = serde_json::from_slice(&text).map_err(|error| {
            // The error's own text is without its end, which has the place.
            let (line, column) = (error.line(), error.column());
            let text = without_value(error.to_string());
            let place = format!(" at line {line} column {column}");
            let problem = text.strip_suffix(&place).unwrap_or(&text);
            let place = format!("{}:{line}:{column}", path.display());
            Error::new(ErrorKind::Data, format!("{place}: {problem}"))
        })?;
        for (name, data) in &read.data {
            if let Some((key, _)) = data.iter().find(|(_, value)| value.has_lost_digits()) {
                let problem = "a whole number does not fit into 64 bits: put it in quotes";
                return Err(refused(format!("{key} of {name}: {problem}")));
            }
        }
        Ok(read)
    }

    /// Warns if the file holds a secret and others can read it.
    pub(crate) fn warn_of_readable(&self, directory: &Path, context: &Context) {
        let path = directory.join(FILE);
        let mut data = self.data.values().flatten();
        if data.any(|(key, value)| holds_secret(key, value)) && is_readable_by_others(&path) {
            warn_of_readable(&path, ", or write KEY_file, KEY_env or KEY_command", context);
        }
    }

    /// Every machine that is named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let more = self.data.keys().filter(|name| !self.groups.contains_key(*name));
        self.groups.keys().chain(more).map(String::as_str)
    }
}

/// `invalid type: string "hunter2", expected a map` without the value, which may be a
/// secret.
fn without_value(problem: String) -> String {
    let kind_of = |found: &str| {
        let end = found.find(['"', '`']).unwrap_or(found.len());
        found[..end].trim_end().to_owned()
    };
    for begin in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) =
            problem.strip_prefix(begin).and_then(|rest| rest.rsplit_once(", expected "))
        {
            return format!("{begin}{}, expected {expected}", kind_of(found));
        }
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), text).unwrap();
        let read = Options::read(directory.path());
        read.map_err(|error| {
            let place = format!("{}/", directory.path().display());
            Error::new(error.kind(), error.to_string().replace(&place, ""))
        })
    }

    #[test]
    fn groups_and_data_are_those_of_machines() {
        let options = read(
            r#"{"groups": {"web": ["app", "edge"]}, "data": {"db": {"port": 5432}, "web": {}}}"#,
        )
        .unwrap();
        assert_eq!(options.groups["web"], ["app", "edge"]);
        assert_eq!(options.data["db"]["port"], Value::Int(5432));
        assert_eq!(options.names().collect::<Vec<_>>(), ["web", "db"]);
        assert_eq!(read("{}").unwrap(), Options::default());
    }

    #[test]
    fn a_directory_without_one_has_no_options() {
        assert_eq!(Options::read(Path::new("/nowhere")).unwrap(), Options::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            ("{\n  \"groups\": [\n}", "@vagrant.json:2:12: invalid type: sequence, expected a map"),
            ("{\"data\": {}", "@vagrant.json:1:11: EOF while parsing an object"),
            ("", "@vagrant.json:1:0: EOF while parsing a value"),
            (
                "{\"group\": {}}",
                "@vagrant.json:1:8: unknown field `group`, expected `groups` or `data`",
            ),
            (
                "{\"groups\": {\"web\": \"app\"}}",
                "@vagrant.json:1:24: invalid type: string, expected a sequence",
            ),
            (
                "{\"data\": {\"web\": \"hunter2, expected \\\"x\"}}",
                "@vagrant.json:1:40: invalid type: string, expected a map",
            ),
            (
                "{\"data\": {\"web\": {\"id\": [123456789012345678901]}}}",
                "@vagrant.json: id of web: a whole number does not fit into 64 bits: put it in quotes",
            ),
            (
                "{\"data\": {\"web\": 12}}",
                "@vagrant.json:1:19: invalid type: integer, expected a map",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Data, expected.to_owned()));
        }
    }
}
