//! Files of this machine, and what a connection may implement to move them.
//!
//! A [`Source`] is what a transfer stores; a [`Sink`] takes what it reads. Files of this machine
//! are replaced by a rename, so that a reader sees the old content or the new one.

mod atomic;
mod copy;
mod sink;
mod source;
mod whole;
mod writer;

use std::time::SystemTime;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::shell::arguments::ConnectorArguments;
use crate::values::error::Result;
use crate::values::output::RunOptions;

pub use atomic::{AtomicFile, Creation, TEMPORARY_MARK, blocking, hidden_name};
pub(crate) use atomic::{cannot_write, directory_of, resolve};
pub use copy::{Cancelled, Copies, copy_file};
pub(crate) use sink::{Body, FileBody, not_passed_on};
pub use sink::{Header, Sink, SinkWriter};
pub(crate) use source::mode_of;
pub use source::{OpenSource, Source};
pub use whole::read_whole;

/// A connection's own transfer of single files, with the promises of
/// [`Link::put_file`](crate::Link::put_file) and [`Link::get_file`](crate::Link::get_file).
#[async_trait]
pub trait FileTransfer: Send + Sync {
    /// Stores `source` at `path`; `None` if it does not handle this file, with `source` untouched.
    ///
    /// # Errors
    ///
    /// The destination is as it was, and no temporary file is left.
    ///
    /// # Cancel safety
    ///
    /// As on an error.
    async fn put(
        &self,
        source: &mut OpenSource,
        path: &str,
        options: &PutOptions,
    ) -> Result<Option<Transferred>>;

    /// Reads the file at `path` into `sink`; `None` if it does not handle this file, with `sink`
    /// untouched.
    ///
    /// # Errors
    ///
    /// As the trait's [`put`](Self::put), of the sink.
    async fn get(
        &self,
        path: &str,
        sink: &mut Sink<'_>,
        options: &GetOptions,
    ) -> Result<Option<Transferred>>;

    /// Returns what handles directories where the target starts no command; `None` if nothing does.
    ///
    /// # Errors
    ///
    /// The target lacks it, although the user asked for it.
    async fn directories(&self) -> Result<Option<&dyn DirectoryTransfer>> {
        Ok(None)
    }

    /// Waits until dropped transfers have cleaned up. The caller limits the time.
    async fn settle(&self) {}
}

/// The directories of a target, without commands. Paths are as for
/// [`Link::put_dir`](crate::Link::put_dir). Errors name the path.
#[async_trait]
pub trait DirectoryTransfer: Send + Sync {
    /// Returns the route of the bytes.
    fn route(&self) -> Route;

    /// Returns what is at `path`, which is not followed; `None` if nothing is.
    async fn look(&self, path: &str) -> Result<Option<RemoteEntry>>;

    /// Returns what is in a directory, as it arrives, without `.` and `..`.
    async fn list(&self, path: &str) -> Result<BoxStream<'static, Result<RemoteEntry>>>;

    /// Returns the path that a symlink holds.
    async fn read_link(&self, path: &str) -> Result<String>;

    /// Makes a directory with this mode, less the target's umask.
    async fn create_directory(&self, path: &str, mode: u32) -> Result<()>;

    /// Makes a symlink to `target`.
    async fn create_symlink(&self, target: &str, path: &str) -> Result<()>;

    /// Sets permission bits and the modification time, in seconds.
    async fn set(&self, path: &str, mode: u32, modified: SystemTime) -> Result<()>;

    /// Renames a file or directory. A file at `to` is replaced.
    async fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes an empty directory, or anything else.
    async fn remove(&self, path: &str, kind: FileKind) -> Result<()>;
}

/// A file of a target, as a listing shows it.
#[derive(Clone, Debug)]
pub struct RemoteEntry {
    /// Its name, without the directory.
    pub name: String,
    /// Its kind; a symlink is not followed.
    pub kind: FileKind,
    /// Its permission bits and its time.
    pub header: Header,
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symlink.
    Symlink,
    /// A socket, a FIFO or a device.
    Other,
}

/// The program on the target that reads and writes a file's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileProgram {
    /// `cat`, which is everywhere.
    #[default]
    Cat,
    /// `scp`, for single files of the connecting user of known size; `cat` for others, and if there
    /// is no scp.
    Scp,
}

/// Options for storing a file or a directory on the target.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Permission bits. Default: an existing file keeps its own (and its owner); a new one has
    /// those of the source file, or 0666, less the target's umask.
    pub mode: Option<u32>,
    /// Take the source's mode and modification time. Default: false.
    pub preserve: bool,
    /// Write through a symlink at the destination, as `cp` does, or replace the link itself.
    /// Default: through it, except with privilege, when another user's link must not choose the
    /// file.
    pub follow: Option<bool>,
    /// The temporary file's path on the target. It must be on the destination's file system, and no
    /// file may be there. Nothing is sent before the target has said that it made the file, which
    /// takes a round trip; a put that is dropped in that moment may leave it, empty. On a terminal
    /// (`get_pty`) nothing waits, and a put that is dropped before the end may leave it. Default: a
    /// hidden name beside the destination, or in `arguments.temp_dir`.
    pub remote_temp_filename: Option<String>,
    /// The privilege, with `get_pty` for its tool, the directory that relative paths start from,
    /// and the limit of time. The rest is not used.
    pub arguments: ConnectorArguments,
    /// The events for the reporter.
    pub run: RunOptions,
}

/// Options for reading a file or a directory from the target.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Take the file's mode and modification time. Default: an existing file keeps its mode; a new
    /// one has the remote file's permission bits less the umask. Files of a directory always keep
    /// their times.
    pub preserve: bool,
    /// The privilege, with `get_pty` for its tool, the directory that relative paths start from,
    /// and the limit of time. The rest is not used.
    pub arguments: ConnectorArguments,
    /// The events for the reporter.
    pub run: RunOptions,
}

impl PutOptions {
    /// Sets [`mode`](Self::mode).
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        Self { mode: Some(mode), ..self }
    }

    /// Sets [`preserve`](Self::preserve).
    #[must_use]
    pub fn with_preserve(self, preserve: bool) -> Self {
        Self { preserve, ..self }
    }

    /// Sets [`follow`](Self::follow).
    #[must_use]
    pub fn with_follow(self, follow: bool) -> Self {
        Self { follow: Some(follow), ..self }
    }

    /// Sets [`arguments`](Self::arguments).
    #[must_use]
    pub fn with_arguments(self, arguments: ConnectorArguments) -> Self {
        Self { arguments, ..self }
    }

    /// Returns whether the caller chose a place for the temporary file.
    #[must_use]
    pub fn places_temporary(&self) -> bool {
        self.remote_temp_filename.is_some() || self.arguments.temp_dir.is_some()
    }

    /// Returns whether a symlink at the destination is followed.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.follow.unwrap_or(!self.arguments.is_privileged())
    }
}

impl GetOptions {
    /// Sets [`preserve`](Self::preserve).
    #[must_use]
    pub fn with_preserve(self, preserve: bool) -> Self {
        Self { preserve, ..self }
    }

    /// Sets [`arguments`](Self::arguments).
    #[must_use]
    pub fn with_arguments(self, arguments: ConnectorArguments) -> Self {
        Self { arguments, ..self }
    }
}

/// The result of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Bytes of file content.
    pub bytes: u64,
    /// The destination could not be replaced (a mount point, a device, a FIFO, a directory that
    /// takes no new file), so it was written in place: a reader may have seen a part.
    pub in_place: bool,
    /// The route of the bytes.
    pub route: Route,
}

/// The route of a transfer's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// Through a command on the target: `cat`, scp, tar.
    #[default]
    Commands,
    /// Over SFTP.
    Sftp,
    /// As a copy by this machine's kernel.
    Copy,
}

impl Route {
    /// Returns its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Sftp => "sftp",
            Self::Copy => "copy",
        }
    }
}
