//! The source of hosts: a directory that a program reads, or a file.

use std::fmt;
use std::path::{self, Path, PathBuf};

use hostlink_core::{Context, DataReader, Error, ErrorKind, Result};

use crate::fields::{self, FIELDS, Given};
use crate::program;

/// The source of outputs and resources.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// The output of this program in this directory.
    Directory { directory: PathBuf, program: PathBuf },
    /// A state, or what a program has said before.
    File(PathBuf),
}

impl Source {
    /// The error for what this source says.
    pub(crate) fn refused(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Inventory, format!("{self}: {problem}"))
    }

    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`]: a value does not fit, or there is no such directory or program.
    pub(crate) fn read(context: &Context) -> Result<Self> {
        let mut reader = DataReader::new(&context.settings);
        let Given { directory, state, program } = Given::read(&mut reader);
        reader.refuse_unknown("terraform_", FIELDS);
        if directory.is_some() && state.is_some() {
            let problem = "a file is read without a directory: leave one of the two out";
            reader.fault(fields::STATE.key, problem);
        }
        reader.finish()?;
        if let Some(path) = state {
            return Ok(Self::File(PathBuf::from(path)));
        }
        let directory = existing(directory.as_deref().unwrap_or("."))?;
        let program = program::find(program.as_deref(), &context.environment)?;
        Ok(Self::Directory { directory, program })
    }
}

/// For the beginning of a message.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { directory, .. } => directory.display().fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

fn existing(directory: &str) -> Result<PathBuf> {
    // A directory that is not there would pass for a program that cannot be started.
    if !Path::new(directory).is_dir() {
        let message = format!("{}: {directory:?} is no directory", fields::DIRECTORY.key);
        return Err(Error::new(ErrorKind::Data, message));
    }
    path::absolute(directory).map_err(|error| {
        let message = format!("{}: {directory:?} cannot be found", fields::DIRECTORY.key);
        Error::from_io(message, error).with_kind(ErrorKind::Data)
    })
}

#[cfg(test)]
mod tests {
    use hostlink_core::Data;

    use super::*;

    fn refused(settings: Data) -> String {
        let error = Source::read(&Context { settings, ..Context::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    }

    #[test]
    fn a_file_needs_neither_directory_nor_program() {
        let settings = Data::new().with("terraform_state", "x.tfstate").with("vagrant_x", 1);
        let found = Source::read(&Context { settings, ..Context::default() }).unwrap();
        assert_eq!(found, Source::File("x.tfstate".into()));
    }

    #[test]
    fn settings_that_do_not_fit_are_refused_all_at_once() {
        let settings = Data::new().with("terraform_state", "x").with("terraform_directory", "/");
        assert_eq!(
            refused(
                settings.with("terraform_dir", "x").with("terraform_program", Vec::<String>::new())
            ),
            "terraform_program: [] is not text; \
             terraform_dir: there is no such key (did you mean terraform_directory?); \
             terraform_state: a file is read without a directory: leave one of the two out"
        );
        assert_eq!(
            refused(Data::new().with("terraform_directory", "/nowhere/at/all")),
            "terraform_directory: \"/nowhere/at/all\" is no directory"
        );
    }
}
