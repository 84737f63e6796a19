//! Reads one file from a target.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::atomic::{AtomicFile, Creation, blocking};
use super::target::{Remote, failure};
use super::target_script::Values;
use super::{GetOptions, Transferred};
use crate::error::{Error, ErrorKind, Result};
use crate::link::Link;
use crate::process::Stream;
use crate::pump::OutputSink;
use crate::report::Event;

/// Where a file that is read goes to.
pub enum Sink<'a> {
    /// A file of this machine. It appears whole or not at all.
    Path(PathBuf),
    /// Memory, appended to.
    Buffer(&'a mut Vec<u8>),
    /// A writer. It gets the bytes as they come: on an error it may have had a part.
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

impl Link {
    /// Reads a file from the target.
    ///
    /// `path` is taken as in [`put_file`](Link::put_file). A symlink is followed.
    ///
    /// # Errors
    ///
    /// The file is not there, is a directory, or may not be read; it did not arrive whole; the sink cannot be
    /// written. A path as the sink is then as it was.
    ///
    /// # Cancel safety
    ///
    /// As on an error.
    pub async fn get_file(
        &self,
        path: &str,
        sink: impl Into<Sink<'_>>,
        options: &GetOptions,
    ) -> Result<Transferred> {
        let mut sink = sink.into();
        let get = async {
            let remote = Remote::new(self, path, &options.arguments)?;
            if options.run.print_input {
                self.report(Event::Input(&format!("get {}", remote.path)));
            }
            if let Some(fast) = self.connection().file_transfer()
                && !options.arguments.is_privileged()
            {
                let got = remote.within_limit(fast.get(&remote.path, &mut sink, options)).await?;
                if let Some(done) = got {
                    return Ok(done);
                }
            }
            get_stream(&remote, &mut sink, options).await
        };
        get.await.map_err(|error| error.with_target(self.name()))
    }
}

pub(super) async fn get_stream(
    remote: &Remote<'_>,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Transferred> {
    let values = Values { path: &remote.path, random: &remote.random, ..Values::default() };
    let mut receiver = Receiver::new(remote, FileBody { sink, file: None });
    let ended = remote.read(values.read(), None, &mut receiver).await;
    let (body, header, bytes) = receiver.finish(ended)?;
    let in_place = match body.file {
        Some(file) => file.commit(options.preserve.then_some(&header)).await?,
        None => false,
    };
    Ok(Transferred { bytes, in_place })
}

/// What the target says of a file before its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header {
    pub(super) mode: u32,
    pub(super) modified: i64,
}

impl Header {
    /// Reads `MODE MTIME`, octal and decimal.
    pub(super) fn parse(text: &str) -> Self {
        let (mode, modified) = text.split_once(' ').unwrap_or((text, ""));
        Self {
            mode: u32::from_str_radix(mode, 8).unwrap_or(0o666),
            modified: modified.trim().parse().unwrap_or(0),
        }
    }

    /// The time, or 1970 where a hostile target names one that this machine has not.
    pub(super) fn time(&self) -> SystemTime {
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
pub(super) trait Body: Send {
    async fn begin(&mut self, header: &Header) -> Result<()>;
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    async fn end(&mut self) -> std::io::Result<()>;
}

/// Reads `hl ok MODE MTIME`, the content, and a last line that proves the content whole.
pub(super) struct Receiver<B> {
    body: B,
    path: String,
    end: String,
    head: Vec<u8>,
    header: Option<Header>,
    /// The last bytes, which may be the end line.
    tail: Vec<u8>,
    stderr: Vec<u8>,
    bytes: u64,
    error: Option<Error>,
}

/// The length of the exit code and the newline behind the end line's token.
const CODE: usize = 4;
const STDERR: usize = 16 * 1024;
const LONGEST_HEADER: usize = 1024;

impl<B: Body> Receiver<B> {
    pub(super) fn new(remote: &Remote<'_>, body: B) -> Self {
        Self {
            body,
            path: remote.path.clone(),
            end: format!("\nhl {} ", remote.random),
            head: Vec::new(),
            header: None,
            tail: Vec::new(),
            stderr: Vec::new(),
            bytes: 0,
            error: None,
        }
    }

    /// What the target said in the place of content, if it did.
    pub(super) fn status(&self) -> String {
        if self.header.is_some() {
            return String::new();
        }
        super::target::status(&self.head).unwrap_or_default()
    }

    /// What arrived, if it arrived whole.
    pub(super) fn finish(mut self, ended: Result<()>) -> Result<(B, Header, u64)> {
        // The cause is better known here than in the pump, which saw a sink that failed.
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        ended?;
        let Some(header) = self.header else {
            let said = super::target::status(&self.head).unwrap_or_default();
            return Err(failure(&said, &self.path, &self.stderr));
        };
        match self.tail.strip_prefix(self.end.as_bytes()) {
            Some(b"000\n") => Ok((self.body, header, self.bytes)),
            Some(_) => Err(failure("read", &self.path, &self.stderr)),
            None => {
                let message = format!("{} did not arrive whole", self.path);
                Err(Error::new(ErrorKind::Transfer, message).with_stderr_tail(&self.stderr))
            }
        }
    }

    async fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.header.is_none() {
            if self.head.len() > LONGEST_HEADER {
                return Err(failure("garbled", &self.path, &self.stderr));
            }
            let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.head.extend_from_slice(bytes);
                return Ok(());
            };
            self.head.extend_from_slice(&bytes[..=at]);
            bytes = &bytes[at + 1..];
            let line = String::from_utf8_lossy(&self.head).into_owned();
            let Some(said) = line.strip_prefix("hl ok ") else { return Ok(()) };
            let header = Header::parse(said.trim_end());
            self.header = Some(header);
            self.body.begin(&header).await?;
        }
        let held = self.end.len() + CODE;
        self.tail.extend_from_slice(bytes);
        let ready = self.tail.len().saturating_sub(held);
        let written = self.body.write(&self.tail[..ready]).await;
        written.map_err(|error| Error::from_io("the file could not be passed on", error))?;
        self.bytes += ready as u64;
        self.tail.drain(..ready);
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        let ended = self.body.end().await;
        ended.map_err(|error| Error::from_io("the file could not be written to its end", error))
    }
}

#[async_trait]
impl<B: Body> OutputSink for Receiver<B> {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        if stream == Stream::Stderr {
            let room = STDERR.saturating_sub(self.stderr.len());
            self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return Ok(());
        }
        let mut taken = self.take(bytes).await;
        if taken.is_ok() && self.tail.ends_with(b"\n") && self.tail.starts_with(self.end.as_bytes())
        {
            taken = self.end().await;
        }
        taken.map_err(|error| {
            self.error = Some(error);
            std::io::Error::other("the sink failed")
        })
    }
}

/// The content of one file on its way to a sink.
struct FileBody<'a, 'b> {
    sink: &'a mut Sink<'b>,
    file: Option<LocalFile>,
}

/// An [`AtomicFile`] that is written without blocking the runtime.
struct LocalFile {
    atomic: AtomicFile,
    writer: tokio::fs::File,
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
            let failed = |error| Error::from_io(format!("cannot write {}", path.display()), error);
            Ok((atomic, writer.map_err(failed)?))
        })
        .await?;
        self.file = Some(LocalFile { atomic, writer: writer.into() });
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match (&mut *self.sink, &mut self.file) {
            (_, Some(file)) => file.writer.write_all(bytes).await,
            (Sink::Buffer(buffer), _) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            (Sink::Writer(writer), _) => writer.write_all(bytes).await,
            (Sink::Path(_), None) => unreachable!("begin opened the file"),
        }
    }

    async fn end(&mut self) -> std::io::Result<()> {
        match (&mut *self.sink, &mut self.file) {
            (_, Some(file)) => file.writer.flush().await,
            (Sink::Writer(writer), _) => writer.flush().await,
            _ => Ok(()),
        }
    }
}
