//! The directory that Vagrant runs in.

use std::path::{Path, PathBuf};

use hostlink_core::{Context, DataReader, Error, ErrorKind, Result};

use crate::fields::{DIRECTORY, FIELDS, Given};

/// Vagrant's own variable for it.
pub(crate) const VARIABLE: &str = "VAGRANT_CWD";

/// The directory that the settings name. It is there.
///
/// # Errors
///
/// [`ErrorKind::Data`]: the settings are wrong, or it is no directory.
pub(crate) fn find(context: &Context) -> Result<PathBuf> {
    let mut reader = DataReader::new(&context.settings);
    reader.refuse_unknown("vagrant_", FIELDS);
    let Given { directory: given } = Given::read(&mut reader);
    reader.finish()?;
    let (source, text) = match given.as_deref() {
        Some(text) => (DIRECTORY.key, text),
        None => match context.environment.get(VARIABLE).filter(|text| !text.is_empty()) {
            Some(text) => (VARIABLE, text.as_str()),
            None => ("the current directory", "."),
        },
    };
    let path = in_home(text, context.home.as_deref());
    let refused = |problem: String| {
        Error::new(ErrorKind::Data, format!("{source}: {}: {problem}", path.display()))
    };
    // Absolute, since it is what a list of machines is known by.
    let path = std::path::absolute(&path).map_err(|error| refused(error.to_string()))?;
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(path),
        Ok(_) => Err(refused("is no directory".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn in_home(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use hostlink_core::Data;

    use super::*;

    fn set(key: &str, value: &str) -> Context {
        Context { settings: Data::new().with(key, value), ..Context::default() }
    }

    #[test]
    fn the_setting_goes_before_the_variable_and_that_before_the_current_directory() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let mut context = set("vagrant_directory", "~/a");
        context.home = Some(root.path().to_owned());
        let variable = root.path().join("b").display().to_string();
        context.environment.insert(VARIABLE.to_owned(), variable);
        assert_eq!(find(&context).unwrap(), root.path().join("a"));
        context.settings = Data::new();
        assert_eq!(find(&context).unwrap(), root.path().join("b"));
        context.environment.clear();
        assert_eq!(find(&context).unwrap(), std::env::current_dir().unwrap());
    }

    #[test]
    fn what_is_no_directory_is_told() {
        for (context, expected) in [
            (
                set("vagrant_directory", "/nowhere/x"),
                "vagrant_directory: /nowhere/x: No such file or directory (os error 2)",
            ),
            (
                set("vagrant_directory", "/etc/passwd"),
                "vagrant_directory: /etc/passwd: is no directory",
            ),
            (
                set("vagrant_dir", "/tmp"),
                "vagrant_dir: there is no such key (did you mean vagrant_directory?)",
            ),
        ] {
            let error = find(&context).unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Data, expected.to_owned()));
        }
    }
}
