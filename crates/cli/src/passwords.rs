//! Passwords: from files and from hostlink's own environment, never from arguments.

use std::path::{Path, PathBuf};

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
    let read = |key| levels.one::<PathBuf>(key).map(|path| first_line(path)).transpose();
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
        ..ConnectorArguments::default()
    })
}

/// The secret on the first line of a file.
pub(crate) fn first_line(path: &Path) -> Result<Secret> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| usage(format!("cannot read the password file {shown}: {error}")))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::from(line)),
        _ => Err(usage(format!("the password file {shown} has nothing on its first line"))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_first_line_is_the_password() {
        let read = |text: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text).unwrap();
            first_line(file.path()).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read(b" a b\n").unwrap(), " a b");
        assert_eq!(read(b"ab\r\nmore").unwrap(), "ab");
        for bad in [&b""[..], b"\nab", b"\xff\n"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
