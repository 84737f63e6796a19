//! Passwords: from files and from hostlink's own environment, never from arguments.

use std::path::PathBuf;

use hostlink::inventory::secret_of_file;
use hostlink::{ConnectorArguments, Result, Secret};

use crate::explain::usage;
use crate::levels::Levels;

/// The passwords of the files that the command line names.
pub(crate) fn from_files(levels: &Levels<'_>) -> Result<ConnectorArguments> {
    if levels.one::<PathBuf>("_sudo_password").is_some() && levels.flag("_use_sudo_password") {
        return Err(usage(
            "--use-sudo-password asks for the password that --sudo-password-file gives: leave one of them out",
        ));
    }
    let read = |key| levels.one::<PathBuf>(key).map(|path| secret_of_file(path)).transpose();
    Ok(ConnectorArguments {
        sudo_password: read("_sudo_password")?,
        su_password: read("_su_password")?,
        doas_password: read("_doas_password")?,
        ..ConnectorArguments::default()
    })
}

/// The passwords of the environment. Host data, which is about one host, comes first.
pub(crate) fn from_environment() -> Result<ConnectorArguments> {
    Ok(ConnectorArguments {
        sudo_password: variable("HOSTLINK_SUDO_PASSWORD")?,
        su_password: variable("HOSTLINK_SU_PASSWORD")?,
        doas_password: variable("HOSTLINK_DOAS_PASSWORD")?,
        ..ConnectorArguments::default()
    })
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
