//! Secrets in host data: plain, or where they are, by a suffix of their key.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostlink_core::{
    ConnectorArguments, Context, Data, DataField, DataReader, Error, ErrorKind, Fault, Registry,
    Result, Secret, Value,
};
use hostlink_local::Program;
use tokio::sync::Mutex;

use crate::by_name::ByName;

/// The time limit of a command that prints a secret; the user may have to unlock a store.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// The longest file or output that is read for a secret.
const LONGEST: usize = 64 * 1024;

/// The place of a secret, by the suffix of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Plain,
    File,
    Env,
    Command,
}

const ORIGINS: [(&str, Origin); 4] = [
    ("", Origin::Plain),
    ("_file", Origin::File),
    ("_env", Origin::Env),
    ("_command", Origin::Command),
];

/// The keys of data that hold a secret themselves, instead of saying where it is.
#[must_use]
pub fn plain_secrets<'a>(data: &'a Data, registry: &Registry) -> Vec<&'a str> {
    let keys = SecretKeys::new(registry);
    data.iter().map(|(key, _)| key).filter(|key| keys.is_plain(key)).collect()
}

/// Refuses keys with an underscore in front that are no argument of commands and do not say where a
/// secret one is: they are misspelt. Every other key may be the user's own.
///
/// # Errors
///
/// [`ErrorKind::Data`] with every such key.
pub fn check_keys(data: &Data, registry: &Registry) -> Result<()> {
    SecretKeys::new(registry).check(data)
}

/// Every key that holds a secret or says where one is.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecretKeys(ByName<(&'static str, Origin)>);

impl SecretKeys {
    pub(crate) fn new(registry: &Registry) -> Self {
        let of_connectors = registry.connectors().flat_map(|connector| connector.about().fields);
        let fields = ConnectorArguments::FIELDS.iter().chain(of_connectors);
        let secret = fields.filter(|field: &&DataField| field.secret);
        let keys = secret.flat_map(|field| {
            ORIGINS.map(|(suffix, origin)| (format!("{}{suffix}", field.key), (field.key, origin)))
        });
        Self(keys.collect())
    }

    /// Returns whether a key holds a secret, or says where one is.
    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn check(&self, data: &Data) -> Result<()> {
        let other = data.iter().filter(|(key, _)| key.starts_with('_') && !self.has(key));
        let other: Data = other.map(|(key, value)| (key, value.clone())).collect();
        let mut reader = DataReader::new(&other);
        reader.refuse_unknown("_", ConnectorArguments::FIELDS);
        reader.finish()
    }

    /// Returns whether a key holds a secret itself.
    pub(crate) fn is_plain(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|(_, origin)| *origin == Origin::Plain)
    }

    /// The data with a placeholder instead of each key that says where a secret is.
    pub(crate) fn with_stand_ins(&self, data: &Data) -> Data {
        let stand_in = |(key, value): (&str, &Value)| match self.0.get(key) {
            Some((field, origin)) if *origin != Origin::Plain && *value != Value::Null => {
                ((*field).to_owned(), Value::Secret(Secret::from("***")))
            }
            _ => (key.to_owned(), value.clone()),
        };
        data.iter().map(stand_in).collect()
    }

    /// Takes from `data` what says where a secret is that `over` says too, in whatever way.
    pub(crate) fn make_way(&self, data: &mut Data, over: &Data) {
        for (key, value) in over.iter() {
            if let Some((field, _)) = self.0.get(key).filter(|_| *value != Value::Null) {
                for (suffix, _) in ORIGINS {
                    data.remove(&format!("{field}{suffix}"));
                }
            }
        }
    }
}

/// Fetches secrets: each file is read, and each command run, only once. A file may be a pipe.
#[derive(Debug)]
pub(crate) struct Safe {
    keys: SecretKeys,
    fetched: Mutex<HashMap<(Origin, String), Secret>>,
}

impl Safe {
    pub(crate) fn new(keys: SecretKeys) -> Self {
        Self { keys, fetched: Mutex::default() }
    }

    pub(crate) fn keys(&self) -> &SecretKeys {
        &self.keys
    }

    /// The data with each secret instead of the key that says where it is, all masked. Cancel
    /// safe: a command that runs is ended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`]: a secret that cannot be had, or is given twice.
    pub(crate) async fn open(&self, data: Data, context: &Context) -> Result<Data> {
        if !data.iter().any(|(key, _)| self.keys.has(key)) {
            return Ok(data);
        }
        let mut opened = Data::new();
        for (key, value) in data.iter() {
            let Some((field, origin)) = self.keys.0.get(key) else {
                opened.insert(key, value.clone());
                continue;
            };
            if *value == Value::Null {
                continue;
            }
            if opened.get(field).is_some() {
                return Err(refused(key, format!("{field} is given already, in another way")));
            }
            opened.insert(*field, self.secret(key, *origin, value, context).await?);
        }
        Ok(opened)
    }

    async fn secret(
        &self,
        key: &str,
        origin: Origin,
        value: &Value,
        context: &Context,
    ) -> Result<Value> {
        let text = match (origin, value) {
            // A value of another type is refused by the reader of the field.
            (Origin::Plain, Value::Secret(_) | Value::List(_) | Value::Map(_)) => {
                return Ok(value.clone());
            }
            (_, Value::String(text)) => text.clone(),
            (Origin::Plain, Value::Int(number)) => number.to_string(),
            _ => return Err(refused(key, "this is no text".into())),
        };
        let secret = match origin {
            Origin::Plain => Secret::from(text.as_str()),
            Origin::Env => {
                let variable = context.environment.get(&text).filter(|value| !value.is_empty());
                let unset = || refused(key, format!("the variable {text} is not set"));
                Secret::from(variable.ok_or_else(unset)?.as_str())
            }
            Origin::File | Origin::Command => {
                // One at a time: what unlocks a store asks its questions one after the other.
                let mut fetched = self.fetched.lock().await;
                let place = (origin, text);
                match fetched.get(&place) {
                    Some(secret) => secret.clone(),
                    None => {
                        let secret = match origin {
                            Origin::File => file(key, &place.1).await?,
                            _ => command(key, &place.1, context).await?,
                        };
                        fetched.insert(place, secret.clone());
                        secret
                    }
                }
            }
        };
        Ok(Value::Secret(secret))
    }
}

fn refused(key: &str, problem: String) -> Error {
    Error::from_faults(vec![Fault::new(key, problem)])
}

/// The secret on the first line of a file.
///
/// # Errors
///
/// [`ErrorKind::Data`]: it cannot be read, is no text, or has nothing there.
pub fn secret_of_file(path: &Path) -> Result<Secret> {
    let refused = |problem: String| Error::new(ErrorKind::Data, problem);
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST as u64).read_to_end(&mut bytes));
    read.map_err(|error| refused(format!("cannot read the password file {shown}: {error}")))?;
    first_line(bytes).map_err(|problem| refused(format!("the password file {shown} {problem}")))
}

async fn file(key: &str, path: &str) -> Result<Secret> {
    let path = Path::new(path).to_owned();
    let read = tokio::task::spawn_blocking(move || secret_of_file(&path)).await;
    let read = read.map_err(|error| refused(key, error.to_string()))?;
    read.map_err(|error| error.within(key))
}

/// The first line that a command of this machine prints.
async fn command(key: &str, line: &str, context: &Context) -> Result<Secret> {
    let program = Program::new("sh", &context.environment).args(["-c", line]);
    let written = program.limit(COMMAND_LIMIT).max_output(LONGEST).may_prompt().output().await;
    let written = written.map_err(|problem| refused(key, format!("the command {problem}")))?;
    if !written.status.success() {
        return Err(refused(key, format!("the command failed: {}", written.status)));
    }
    first_line(written.stdout)
        .map_err(|problem| refused(key, format!("what the command prints {problem}")))
}

fn first_line(bytes: Vec<u8>) -> Result<Secret, &'static str> {
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    match text.lines().next() {
        Some(first) if !first.is_empty() => Ok(Secret::from(first)),
        _ => Err("has nothing on its first line"),
    }
}

/// Tells of files that hold a secret and that others than their owner can read.
pub(crate) fn warn_of_readable(readable: &[PathBuf], context: &Context) {
    for path in readable {
        hostlink_local::warn_of_readable(
            path,
            ", or write KEY_file, KEY_env or KEY_command",
            context,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_secret() {
        let read = |text: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            secret_of_file(file.path()).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read(b" a b\n").unwrap(), " a b");
        assert_eq!(read(b"ab\r\nmore").unwrap(), "ab");
        for bad in [&b""[..], b"\nab", b"\xff\n"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
