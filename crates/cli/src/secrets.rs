//! Secrets in `--data`: from a file, a variable or a command's output, by a suffix of their key, or plain.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hostlink::{
    ConnectorArguments, Data, DataField, Registry, Result, SECRET_VARIABLES, Secret, Value,
};
use tokio::process::Command;
use tokio::time::timeout;

use crate::explain::usage;
use crate::passwords;

/// How long a command may take that prints a secret; somebody may have to unlock it.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// Where a secret is, by the suffix of its key.
#[derive(Clone, Copy)]
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

/// The data with every secret in the place of what says where it is, and the keys of those that stood there plainly.
///
/// # Errors
///
/// A secret that cannot be had, or is given twice.
pub(crate) async fn found(data: &Data, registry: &Registry) -> Result<(Data, Vec<String>)> {
    let of_connectors = registry.connectors().flat_map(|connector| connector.data_fields());
    let fields: Vec<&DataField> = ConnectorArguments::FIELDS
        .iter()
        .chain(of_connectors)
        .filter(|field| field.secret)
        .collect();
    let (mut all, mut plain) = (Data::new(), Vec::new());
    for (key, value) in data.iter() {
        let Some((field, origin)) = secret_of(key, &fields) else {
            all.insert(key, value.clone());
            continue;
        };
        if all.get(field.key).is_some() {
            let field = field.key;
            return Err(usage(format!("--data {key}: {field} is given already, in another way")));
        }
        let text = match value {
            Value::String(text) => text.as_str(),
            _ => return Err(usage(format!("--data {key}: this is no text"))),
        };
        let secret = match origin {
            Origin::Plain => {
                plain.push(key.to_owned());
                Secret::from(text)
            }
            Origin::File => passwords::first_line(Path::new(text))?,
            Origin::Env => passwords::variable(text)?
                .ok_or_else(|| usage(format!("--data {key}: the variable {text} is not set")))?,
            Origin::Command => printed(key, text).await?,
        };
        all.insert(field.key, Value::Secret(secret));
    }
    Ok((all, plain))
}

fn secret_of<'a>(key: &str, fields: &[&'a DataField]) -> Option<(&'a DataField, Origin)> {
    ORIGINS.iter().find_map(|(suffix, origin)| {
        let name = key.strip_suffix(suffix)?;
        Some((*fields.iter().find(|field| field.key == name)?, *origin))
    })
}

/// The first line that a command of this machine prints. It is the user's own, from the command line.
async fn printed(key: &str, line: &str) -> Result<Secret> {
    let refused = |why: String| usage(format!("--data {key}: {why}"));
    let mut command = Command::new("sh");
    command.args([OsStr::new("-c"), OsStr::new(line)]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    let ended = timeout(COMMAND_LIMIT, command.output()).await;
    let output = ended
        .map_err(|_| refused(format!("the command took longer than {COMMAND_LIMIT:?}")))?
        .map_err(|error| refused(format!("the command cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(refused(format!("the command failed: {}", output.status)));
    }
    let text = String::from_utf8(output.stdout);
    let text = text.map_err(|_| refused("what the command prints is not UTF-8".into()))?;
    match text.lines().next() {
        Some(first) if !first.is_empty() => Ok(Secret::from(first)),
        _ => Err(refused("the command prints nothing on its first line".into())),
    }
}
