//! Destinations of files that are read.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::atomic::{AtomicFile, Creation, blocking, cannot_write};
use super::writer::FileWriter;
use crate::values::error::{Error, Result};

/// The destination of a file that is read.
pub enum Sink<'a> {
    /// A file of this machine, written atomically.
    Path(PathBuf),
    /// Memory; the content is appended.
    Buffer(&'a mut Vec<u8>),
    /// A writer. It gets the bytes as they arrive: on an error, it may have got a part.
    Writer(&'a mut (dyn AsyncWrite + Send + Unpin)),
}

impl fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "Sink({})", path.display()),
            Self::Buffer(_) => f.write_str("Sink(buffer)"),
            Self::Writer(_) => f.write_str("Sink(writer)"),
        }
    }
}

impl Sink<'_> {
    /// Returns whether it is the path of a regular file or of none. Opening anything else may have
    /// effects (a FIFO), so it must not be opened twice.
    pub fn is_file(&self) -> impl Future<Output = bool> + Send + use<> {
        let path = if let Self::Path(path) = self { Some(path.clone()) } else { None };
        async move {
            let Some(path) = path else { return false };
            match tokio::fs::metadata(path).await {
                Ok(found) => found.is_file(),
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            }
        }
    }
}

impl From<&Path> for Sink<'_> {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for Sink<'_> {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a mut Vec<u8>> for Sink<'a> {
    fn from(buffer: &'a mut Vec<u8>) -> Self {
        Self::Buffer(buffer)
    }
}

/// Content on its way to a [`Sink`], for a connection's own way to move files. A path as the sink
/// is as it was until [`finish`](Self::finish); a writer dropped before leaves nothing there.
pub struct SinkWriter<'a, 'b> {
    body: FileBody<'a, 'b>,
    header: Header,
}

impl<'a, 'b> SinkWriter<'a, 'b> {
    /// Starts with a file whose header on the target is `header`.
    ///
    /// # Errors
    ///
    /// The sink's file cannot be written. The sink is untouched.
    pub async fn new(sink: &'a mut Sink<'b>, header: Header) -> Result<Self> {
        let mut body = FileBody { sink, file: None };
        body.begin(&header).await?;
        Ok(Self { body, header })
    }

    /// The new file of this machine that the content goes to, for a connection that has something
    /// else write it: what is in it at [`finish`](Self::finish) is the content. `None` if it goes
    /// anywhere else.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        let atomic = &self.body.file.as_ref()?.atomic;
        atomic.replaces().then(|| atomic.file())
    }

    /// Appends content, and returns memory that may be reused, of this content or an earlier one.
    ///
    /// # Errors
    ///
    /// The sink fails to write this content, or an earlier one.
    pub async fn write(&mut self, mut content: BytesMut) -> Result<Option<BytesMut>> {
        if let Some(file) = &mut self.body.file {
            let pushed = file.writer.push(content).await;
            return pushed.map_err(|error| self.body.failed(error));
        }
        self.body.write(&content).await?;
        content.clear();
        Ok(Some(content))
    }

    /// Ends the content, and gives a file its name; with `preserve`, also the mode and the time of
    /// the header. True if it was written in place.
    ///
    /// # Errors
    ///
    /// The sink's file cannot be written. A path is as it was.
    pub async fn finish(mut self, preserve: bool) -> Result<bool> {
        self.body.end().await?;
        self.body.commit(preserve.then_some(&self.header)).await
    }
}

impl fmt::Debug for SinkWriter<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkWriter").field("sink", &self.body.sink).finish_non_exhaustive()
    }
}

/// The target's report about a file, before its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// Its permission bits.
    pub mode: u32,
    /// When it was last changed, in seconds since 1970.
    pub modified: i64,
}

impl Header {
    /// Reads `MODE MTIME`, octal and decimal.
    pub(crate) fn parse(text: &str) -> Self {
        let (mode, modified) = text.split_once(' ').unwrap_or((text, ""));
        Self {
            mode: u32::from_str_radix(mode, 8).unwrap_or(0o666),
            modified: modified.trim().parse().unwrap_or(0),
        }
    }

    /// Returns the time, or 1970 if a hostile target sends one that this machine cannot represent.
    pub(crate) fn time(&self) -> SystemTime {
        let magnitude = Duration::from_secs(self.modified.unsigned_abs());
        let time = if self.modified < 0 {
            UNIX_EPOCH.checked_sub(magnitude)
        } else {
            UNIX_EPOCH.checked_add(magnitude)
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

/// Takes the content of a stream that a [`Receiver`] has freed of its header and its end.
#[async_trait]
pub(crate) trait Body: Send {
    async fn begin(&mut self, header: &Header) -> Result<()>;
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    async fn end(&mut self) -> Result<()>;
}

/// The content of one file on its way to a sink.
pub(crate) struct FileBody<'a, 'b> {
    pub(crate) sink: &'a mut Sink<'b>,
    pub(crate) file: Option<LocalFile>,
}

impl FileBody<'_, '_> {
    fn failed(&self, error: std::io::Error) -> Error {
        match &*self.sink {
            Sink::Path(path) => cannot_write(path, error),
            _ => not_passed_on(error),
        }
    }

    /// Gives a file its name. Returns whether it was written in place.
    pub(crate) async fn commit(self, preserved: Option<&Header>) -> Result<bool> {
        match self.file {
            Some(file) => file.commit(preserved).await,
            None => Ok(false),
        }
    }
}

/// An [`AtomicFile`] that is written without blocking the runtime.
pub(crate) struct LocalFile {
    atomic: AtomicFile,
    writer: FileWriter,
}

impl LocalFile {
    async fn commit(self, preserved: Option<&Header>) -> Result<bool> {
        let Self { mut atomic, writer } = self;
        drop(writer);
        if let Some(header) = preserved {
            atomic.set_mode(header.mode & 0o777);
        }
        let time = preserved.map(Header::time);
        blocking(move || atomic.commit(time)).await
    }
}

#[async_trait]
impl Body for FileBody<'_, '_> {
    async fn begin(&mut self, header: &Header) -> Result<()> {
        let Sink::Path(path) = &*self.sink else { return Ok(()) };
        let (path, source_mode) = (path.clone(), header.mode & 0o777);
        let creation = Creation { mode: None, source_mode, follow: true, temporary: None };
        let (atomic, writer) = blocking(move || {
            let atomic = AtomicFile::create(&path, &creation)?;
            let writer = atomic.file().try_clone();
            Ok((atomic, writer.map_err(|error| cannot_write(&path, error))?))
        })
        .await?;
        self.file = Some(LocalFile { atomic, writer: FileWriter::new(writer) });
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match (&mut *self.sink, &mut self.file) {
            (_, Some(file)) => file.writer.write(bytes).await,
            (Sink::Buffer(buffer), _) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            (Sink::Writer(writer), _) => writer.write_all(bytes).await,
            (Sink::Path(_), None) => unreachable!("begin opened the file"),
        };
        written.map_err(|error| self.failed(error))
    }

    async fn end(&mut self) -> Result<()> {
        let ended = match (&mut *self.sink, &mut self.file) {
            (_, Some(file)) => file.writer.flush().await,
            (Sink::Writer(writer), _) => writer.flush().await,
            _ => Ok(()),
        };
        ended.map_err(|error| self.failed(error))
    }
}

/// The error for content that cannot be handed on.
pub(crate) fn not_passed_on(error: std::io::Error) -> Error {
    Error::from_io(format!("the content cannot be passed on: {error}"), error)
}
