//! The source of bytes for targets: a file, or hostlink's own standard input.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hostlink::run::Stdin;
use hostlink::transfer::Source;
use hostlink::{Error, Result};
use tempfile::NamedTempFile;

use crate::explain::usage;

/// The input that the user named.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// `-`.
    Standard,
    /// A file.
    File(PathBuf),
}

/// An input that any number of targets can read.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// Standard input, read by the only target.
    Standard,
    /// A file that each target opens.
    File(PathBuf),
    /// A private copy that each target opens. It is removed at the end.
    Copy(NamedTempFile),
}

impl Input {
    pub(crate) fn new(path: &Path) -> Self {
        if path == Path::new("-") { Self::Standard } else { Self::File(path.to_owned()) }
    }

    /// The file's name, if it is text. What is no regular file, such as a pipe, has none of use.
    pub(crate) fn file_name(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        path.file_name()
            .filter(|_| path.is_file())
            .and_then(|name| name.to_str())
            .map(str::to_owned)
    }

    /// Refuses a path that is not a file or cannot be read.
    pub(crate) fn check_file(&self) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        let failed = |error| unreadable(path, &error);
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            let shown = path.display();
            return Err(usage(format!("{shown} is a directory: name a file")));
        }
        // Opening a pipe would consume it.
        if metadata.is_file() {
            File::open(path).map_err(failed)?;
        }
        Ok(())
    }

    /// Makes it readable by `readers` targets concurrently, each from the start.
    pub(crate) async fn prepare(self, readers: usize) -> Result<Prepared> {
        match self {
            Self::Standard if readers == 1 => Ok(Prepared::Standard),
            Self::Standard => copy(tokio::io::stdin(), "standard input").await,
            Self::File(path) => {
                let failed = |error| unreadable(&path, &error);
                if readers == 1 || fs::metadata(&path).map_err(failed)?.is_file() {
                    return Ok(Prepared::File(path));
                }
                let pipe = tokio::fs::File::open(&path).await.map_err(failed)?;
                copy(pipe, &path.display().to_string()).await
            }
        }
    }
}

impl Prepared {
    /// Returns it as a command's standard input.
    pub(crate) fn stdin(&self) -> Stdin {
        match self {
            Self::Standard => Stdin::reader(tokio::io::stdin()),
            Self::File(path) => Stdin::file(path),
            Self::Copy(copy) => Stdin::file(copy.path()),
        }
    }

    /// Returns it as a file to put.
    pub(crate) async fn source(&self) -> Result<Source> {
        match self {
            Self::Standard => Ok(Source::reader(tokio::io::stdin())),
            Self::File(path) => Ok(Source::path(path)),
            // Not as a path: the mode of the private copy was not chosen by the user.
            Self::Copy(copy) => {
                let failed = |error| Error::from_io("the copy of the input cannot be read", error);
                let file = tokio::fs::File::open(copy.path()).await.map_err(failed)?;
                let length = file.metadata().await.map_err(failed)?.len();
                Ok(Source::sized_reader(file, length))
            }
        }
    }
}

/// Returns the error for an unreadable source, which is wrong usage: nothing was started.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Error {
    usage(format!("cannot read {}: {error}", path.display()))
}

async fn copy(mut reader: impl tokio::io::AsyncRead + Unpin, name: &str) -> Result<Prepared> {
    let failed = |error| Error::from_io(format!("cannot keep {name} for the targets"), error);
    let copy = NamedTempFile::new().map_err(failed)?;
    let mut file = tokio::fs::File::from_std(copy.reopen().map_err(failed)?);
    tokio::io::copy(&mut reader, &mut file).await.map_err(failed)?;
    tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(failed)?;
    Ok(Prepared::Copy(copy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_no_readable_file_is_refused() {
        let check = |path: &str| Input::new(Path::new(path)).check_file();
        for good in ["-", "/dev/null", "/proc/self/stat"] {
            check(good).unwrap();
        }
        for bad in ["/", "/nowhere", "/dev/null/x"] {
            let error = check(bad).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
    }

    #[tokio::test]
    async fn a_copy_is_private_and_gone_at_the_end() {
        let prepared = copy(&b"text"[..], "x").await.unwrap();
        let Prepared::Copy(copy) = &prepared else { panic!("{prepared:?}") };
        let path = copy.path().to_owned();
        assert_eq!(fs::read(&path).unwrap(), b"text");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(prepared);
        assert!(!path.exists());
    }
}
