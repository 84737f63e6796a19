//! Sources of files to store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::BoxRead;

/// The source of a file to store.
#[derive(Debug)]
pub struct Source(Kind);

enum Kind {
    Path(PathBuf),
    Bytes(Bytes),
    Reader(BoxRead, Option<u64>),
}

/// A source that is ready to be read, once.
pub struct OpenSource {
    /// Its bytes; `None` if `path` is to be opened.
    pub reader: Option<BoxRead>,
    /// A file of this machine, which may have faster ways to be copied.
    pub path: Option<PathBuf>,
    /// The number of bytes, if it is known. Any other number is an error.
    pub length: Option<u64>,
    /// Its permission bits.
    pub mode: u32,
    /// The modification time of a file.
    pub modified: Option<SystemTime>,
}

/// The mode of bytes and readers.
const DEFAULT_MODE: u32 = 0o666;

impl Source {
    /// A file of this machine.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Path(path.into()))
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// A reader of unknown length.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self(Kind::Reader(Box::pin(reader), None))
    }

    /// A reader of a known length, which saves a round trip. If the number of bytes differs,
    /// nothing is stored.
    pub fn sized_reader(reader: impl AsyncRead + Send + 'static, length: u64) -> Self {
        Self(Kind::Reader(Box::pin(reader), Some(length)))
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// The file is not there, is a directory, or cannot be read.
    pub async fn open(self) -> Result<OpenSource> {
        let read = |reader, length| OpenSource {
            reader: Some(reader),
            path: None,
            length,
            mode: DEFAULT_MODE,
            modified: None,
        };
        match self.0 {
            Kind::Path(path) => open_path(&path).await,
            Kind::Bytes(bytes) => {
                let length = bytes.len() as u64;
                Ok(read(Box::pin(std::io::Cursor::new(bytes)), Some(length)))
            }
            Kind::Reader(reader, length) => Ok(read(reader, length)),
        }
    }
}

impl OpenSource {
    /// Returns its bytes, but at most one more than its length, to detect that there are too many.
    ///
    /// # Panics
    ///
    /// If they were taken before.
    pub fn take_reader(&mut self) -> BoxRead {
        let reader = self.reader.take().expect("a source is read once");
        match self.length {
            Some(length) => Box::pin(reader.take(length.saturating_add(1))),
            None => reader,
        }
    }
}

async fn open_path(path: &Path) -> Result<OpenSource> {
    let failed = |error| Error::from_io(format!("cannot read {}", path.display()), error);
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let metadata = file.metadata().await.map_err(failed)?;
    if metadata.is_dir() {
        let message = format!("{} is a directory: put it with -r (put_dir)", path.display());
        return Err(Error::new(ErrorKind::IsADirectory, message));
    }
    // Files of /proc say 0 and have more; pipes have no length at all.
    let sized = metadata.is_file() && metadata.len() > 0;
    // Sends as much as was announced: a log may grow meanwhile.
    let reader: BoxRead = match sized {
        true => Box::pin(file.take(metadata.len())),
        false => Box::pin(file),
    };
    Ok(OpenSource {
        reader: Some(reader),
        path: metadata.is_file().then(|| path.to_owned()),
        length: sized.then_some(metadata.len()),
        mode: mode_of(&metadata),
        modified: metadata.is_file().then(|| metadata.modified().ok()).flatten(),
    })
}

/// The permission bits of a file of this machine.
pub(crate) fn mode_of(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Self {
        Self::bytes(bytes.to_vec())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Reader(_, length) => write!(f, "reader of {length:?} bytes"),
        }
    }
}

impl fmt::Debug for OpenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSource")
            .field("path", &self.path)
            .field("length", &self.length)
            .field("mode", &format_args!("{:o}", self.mode))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn a_file_that_grows_gives_what_it_announced() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"announced").unwrap();
        let mut source = Source::path(file.path()).open().await.unwrap();
        file.write_all(b" and more").unwrap();
        let mut text = String::new();
        source.take_reader().read_to_string(&mut text).await.unwrap();
        assert_eq!((source.length, &*text), (Some(9), "announced"));
        let to = tempfile::tempfile().unwrap();
        let from = std::fs::File::open(file.path()).unwrap();
        let copied = super::super::copy_file(&from, &to, source.length, || true);
        assert_eq!((copied.unwrap(), to.metadata().unwrap().len()), (9, 9));
    }
}
