//! Standard input of a command.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::BoxRead;
use crate::values::value::{FromValue, Value};

/// Standard input of a command.
///
/// Bytes and files are opened for each command, so that two hosts never share a position. A reader
/// can be used only once.
#[derive(Clone)]
pub struct Stdin(Kind);

#[derive(Clone)]
enum Kind {
    Bytes(Bytes),
    File(PathBuf),
    Once(Arc<Mutex<Option<BoxRead>>>),
}

impl Stdin {
    /// Returns an input of these bytes, unchanged.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// Returns an input of these lines, each with a newline, as pyinfra sends a list.
    pub fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Self {
        let text: String =
            lines.into_iter().flat_map(|l| [l.as_ref().to_owned(), "\n".into()]).collect();
        Self::bytes(text)
    }

    /// Returns an input from a file of this machine.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// Returns an input from a reader. It is an error to use it twice, or with `retries`.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self(Kind::Once(Arc::new(Mutex::new(Some(Box::pin(reader))))))
    }

    /// Returns whether a second command can read it.
    #[must_use]
    pub fn can_reopen(&self) -> bool {
        !matches!(self.0, Kind::Once(_))
    }

    /// Opens the input for one command.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or the reader has been used before.
    pub(crate) async fn open(&self) -> Result<BoxRead> {
        match &self.0 {
            Kind::Bytes(bytes) => Ok(Box::pin(std::io::Cursor::new(bytes.clone()))),
            Kind::File(path) => Ok(Box::pin(open_file(path).await?)),
            Kind::Once(reader) => {
                let taken = reader.lock().unwrap_or_else(|poison| poison.into_inner()).take();
                taken.ok_or_else(|| {
                    Error::new(ErrorKind::Data, "this stdin is a reader, and was read before")
                })
            }
        }
    }
}

async fn open_file(path: &Path) -> Result<tokio::fs::File> {
    tokio::fs::File::open(path)
        .await
        .map_err(|error| Error::from_io(format!("cannot read {} for stdin", path.display()), error))
}

impl From<&str> for Stdin {
    fn from(text: &str) -> Self {
        Self::bytes(text.to_owned())
    }
}

impl From<String> for Stdin {
    fn from(text: String) -> Self {
        Self::bytes(text)
    }
}

impl From<&[u8]> for Stdin {
    fn from(bytes: &[u8]) -> Self {
        Self::bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Stdin {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl FromValue for Stdin {
    const EXPECTED: &'static str = "text or a list of lines";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(_) => Vec::<String>::from_value(value).map(Self::lines),
            _ => String::from_value(value).map(Self::bytes),
        }
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // The input may be a password: only its size is shown.
            Kind::Bytes(bytes) => write!(f, "Stdin({} bytes)", bytes.len()),
            Kind::File(path) => write!(f, "Stdin({})", path.display()),
            Kind::Once(_) => f.write_str("Stdin(reader)"),
        }
    }
}
