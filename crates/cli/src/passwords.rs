//! Passwords from files and from hostlink's own environment, never from arguments.

use std::path::PathBuf;

use hostlink::connector::DataField;
use hostlink::inventory::secret_of_file;
use hostlink::{ConnectorArguments, Data, Result, Secret};

use crate::explain::usage;
use crate::levels::Levels;

/// Reads the passwords from the files that the command line names.
pub(crate) fn from_files(levels: &Levels<'_>) -> Result<ConnectorArguments> {
    if levels.one::<PathBuf>("_sudo_password").is_some() && levels.flag("_use_sudo_password") {
        return Err(usage("--use-sudo-password cannot be combined with --sudo-password-file"));
    }
    read(|field| levels.one::<PathBuf>(field.key).map(|path| secret_of_file(path)).transpose())
}

/// Reads the passwords from the environment. Host data, which is about one host, takes precedence.
pub(crate) fn from_environment() -> Result<ConnectorArguments> {
    read(|field| variable(&name_of_variable(field)))
}

/// Returns the name of the variable that may hold a secret field.
pub(crate) fn name_of_variable(field: &DataField) -> String {
    format!("HOSTLINK{}", field.key.to_uppercase())
}

fn read(secret: impl Fn(&DataField) -> Result<Option<Secret>>) -> Result<ConnectorArguments> {
    let mut data = Data::new();
    for field in ConnectorArguments::FIELDS.iter().filter(|field| field.secret) {
        if let Some(secret) = secret(field)? {
            data.insert(field.key, secret);
        }
    }
    ConnectorArguments::from_data(&data)
}

/// Reads a secret from a variable; an empty one counts as unset.
pub(crate) fn variable(name: &str) -> Result<Option<Secret>> {
    match std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.into_string())
    {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(Secret::from(text))),
        Some(Err(_)) => Err(usage(format!("{name} is not UTF-8"))),
    }
}
