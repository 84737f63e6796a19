//! Passwords: from files and from hostlink's own environment, never from arguments.

use std::path::PathBuf;

use hostlink::inventory::secret_of_file;
use hostlink::{ConnectorArguments, Data, DataField, Result, Secret};

use crate::explain::usage;
use crate::levels::Levels;

/// The passwords of the files that the command line names.
pub(crate) fn from_files(levels: &Levels<'_>) -> Result<ConnectorArguments> {
    if levels.one::<PathBuf>("_sudo_password").is_some() && levels.flag("_use_sudo_password") {
        return Err(usage(
            "--use-sudo-password asks for the password that --sudo-password-file gives: leave one of them out",
        ));
    }
    read(|field| levels.one::<PathBuf>(field.key).map(|path| secret_of_file(path)).transpose())
}

/// The passwords of the environment. Host data, which is about one host, comes first.
pub(crate) fn from_environment() -> Result<ConnectorArguments> {
    read(|field| variable(&name_of_variable(field)))
}

/// The variable that may hold a secret field.
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

/// The secret in a variable of hostlink's own; an empty one is none.
pub(crate) fn variable(name: &str) -> Result<Option<Secret>> {
    match std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.into_string())
    {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(Secret::from(text))),
        Some(Err(_)) => Err(usage(format!("{name} is not UTF-8"))),
    }
}
