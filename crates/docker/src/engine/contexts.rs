//! Docker's contexts: named engines (`docker context`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hostlink_core::{Context, Error, ErrorKind, Result, read_whole};
use serde_json::Value;

/// The engine of a context.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// The address, as in `DOCKER_HOST`.
    pub(crate) host: String,
    /// The directory of its certificates, if it has any.
    pub(crate) certificates: Option<PathBuf>,
    /// The engine's certificate is not verified.
    pub(crate) unchecked: bool,
}

/// Returns docker's configuration directory.
pub(crate) fn directory(context: &Context) -> Option<PathBuf> {
    match context.environment.get("DOCKER_CONFIG").filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => context.home.as_ref().map(|home| home.join(".docker")),
    }
}

/// Returns the current context; `None` for the default one, which names no engine.
///
/// # Errors
///
/// If its files cannot be read, or if it does not exist.
pub(crate) fn current(context: &Context) -> Result<Option<Named>> {
    let Some(directory) = directory(context) else { return Ok(None) };
    let chosen = context.environment.get("DOCKER_CONTEXT").filter(|name| !name.is_empty());
    let name = match chosen {
        Some(name) => Some(name.clone()),
        None => configured(&directory.join("config.json"))?,
    };
    match name {
        Some(name) if name != "default" => find(&directory, &name).map(Some),
        _ => Ok(None),
    }
}

fn configured(path: &Path) -> Result<Option<String>> {
    match read(path) {
        Ok(text) => {
            let config = parse(path, &text)?;
            let name = config["currentContext"].as_str().filter(|name| !name.is_empty());
            Ok(name.map(str::to_owned))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}

/// A context's directory is named by a hash. Its file has the real name, so all of them are
/// searched.
fn find(directory: &Path, name: &str) -> Result<Named> {
    let metadata = directory.join("contexts/meta");
    let mut known = Vec::new();
    for entry in fs::read_dir(&metadata).into_iter().flatten().flatten() {
        let path = entry.path().join("meta.json");
        let Ok(text) = read(&path) else { continue };
        let meta = parse(&path, &text)?;
        let Some(found) = meta["Name"].as_str() else { continue };
        if found != name {
            known.push(found.to_owned());
            continue;
        }
        let endpoint = &meta["Endpoints"]["docker"];
        let Some(host) = endpoint["Host"].as_str().filter(|host| !host.is_empty()) else {
            let message = format!("the Docker context {name} ({}) names no host", path.display());
            return Err(Error::new(ErrorKind::Data, message));
        };
        let certificates = directory.join("contexts/tls").join(entry.file_name()).join("docker");
        return Ok(Named {
            name: name.to_owned(),
            host: host.to_owned(),
            certificates: certificates.is_dir().then_some(certificates),
            unchecked: endpoint["SkipTLSVerify"].as_bool().unwrap_or(false),
        });
    }
    let hint = hostlink_core::nearest::hint(name, known.iter().map(String::as_str));
    let message = format!("there is no Docker context {name:?} in {}{hint}", metadata.display());
    Err(Error::new(ErrorKind::Data, message))
}

/// Maximum length of such a file.
const MAX_FILE: u64 = 4 * 1024 * 1024;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_whole(path, MAX_FILE)
}

fn parse(path: &Path, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map_err(|error| {
        let message = format!("{} is not valid JSON: {error}", path.display());
        Error::new(ErrorKind::Data, message).with_source(error)
    })
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let message = format!("cannot read {}: {error}", path.display());
    Error::new(ErrorKind::Data, message).with_source(error)
}
