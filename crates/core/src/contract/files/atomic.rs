//! Atomic writes of files of this machine.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Seek};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::process::geteuid;
use tempfile::{Builder, NamedTempFile};

use super::source::mode_of;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::random::random_hex;

/// Options for creating a file on this machine.
#[derive(Clone, Debug)]
pub struct Creation {
    /// The required mode; `None` if an existing file keeps its own.
    pub mode: Option<u32>,
    /// The mode of a new file, before the umask.
    pub source_mode: u32,
    /// True if a symlink at the destination is followed.
    pub follow: bool,
    /// The temporary file's path, instead of a hidden name beside the destination.
    pub temporary: Option<PathBuf>,
}

/// A file of this machine being written: under a hidden name and readable by its owner alone until
/// [`commit`](Self::commit) gives it its mode, its owner and its name. Dropped before, it leaves
/// nothing.
///
/// If the destination cannot be replaced, it is written in place.
#[derive(Debug)]
pub struct AtomicFile {
    destination: PathBuf,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Replace { temporary: NamedTempFile, mode: u32, owner: Option<Box<Metadata>> },
    InPlace(File),
}

impl AtomicFile {
    /// Prepares to write `destination`. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// The destination is a directory, its directory is missing, or neither takes the write.
    pub fn create(destination: &Path, creation: &Creation) -> Result<Self> {
        let destination = resolve(destination, creation.follow)?;
        let existing = fs::symlink_metadata(&destination).ok().filter(|found| !found.is_symlink());
        if existing.as_ref().is_some_and(Metadata::is_dir) {
            let message = format!("{} is a directory", destination.display());
            return Err(Error::new(ErrorKind::IsADirectory, message));
        }
        if let Some(found) = existing.as_ref().filter(|found| !found.is_file()) {
            return Self::in_place(destination, Some(found), None);
        }
        match Self::replacing(&destination, existing.clone(), creation) {
            Ok(shape) => Ok(Self { destination, shape }),
            // A full disk or a lack of descriptors must not destroy the old file.
            Err(error) if takes_no_new_file(&error) => {
                Self::in_place(destination, existing.as_ref(), Some(error))
            }
            Err(error) => Err(cannot_write(&destination, error)),
        }
    }

    /// Returns the file that takes the bytes.
    #[must_use]
    pub fn file(&self) -> &File {
        match &self.shape {
            Shape::Replace { temporary, .. } => temporary.as_file(),
            Shape::InPlace(file) => file,
        }
    }

    /// Returns whether the file replaces the destination, instead of being written in place.
    #[must_use]
    pub fn replaces(&self) -> bool {
        matches!(self.shape, Shape::Replace { .. })
    }

    /// Sets the mode later, for a copy that keeps its source's.
    pub fn set_mode(&mut self, bits: u32) {
        if let Shape::Replace { mode, .. } = &mut self.shape {
            *mode = bits;
        }
    }

    /// Sets the file's time, mode, owner and name. Returns whether it was written in place.
    ///
    /// # Errors
    ///
    /// The destination is as it was.
    pub fn commit(self, modified: Option<SystemTime>) -> Result<bool> {
        let destination = self.destination.clone();
        let failed = |error| cannot_write(&destination, error);
        if let Some(time) = modified {
            self.file().set_modified(time).map_err(failed)?;
        }
        let (temporary, mode, owner) = match self.shape {
            Shape::Replace { temporary, mode, owner } => (temporary, mode, owner),
            Shape::InPlace(file) => return cut_off(file).map_err(failed).map(|()| true),
        };
        let existing = owner.as_deref();
        let owned = existing.is_none_or(|owner| set_owner(temporary.as_file(), owner).is_ok());
        set_mode(temporary.as_file(), mode).map_err(failed)?;
        if !owned {
            // The file is another user's: renaming would take it away, so it is written as `cp`
            // would.
            return overwrite(&temporary, &self.destination, existing);
        }
        match temporary.persist(&self.destination) {
            Ok(_) => Ok(false),
            // A mount point cannot be replaced by a rename (EBUSY, rename(2)), but written.
            Err(refused) if refused.error.kind() == io::ErrorKind::ResourceBusy => {
                overwrite(&refused.file, &self.destination, existing)
            }
            Err(refused) => Err(cannot_write(&self.destination, refused.error)),
        }
    }

    fn replacing(
        destination: &Path,
        existing: Option<Metadata>,
        creation: &Creation,
    ) -> io::Result<Shape> {
        let mode = match creation.mode.or(existing.as_ref().map(mode_of)) {
            Some(mode) => mode,
            // An empty file shows the effect of the umask, which umask(2) cannot read without
            // setting it.
            None => {
                let probe = temporary_beside(destination, creation.source_mode & 0o777, None)?;
                mode_of(&probe.as_file().metadata()?)
            }
        };
        let temporary = temporary_beside(destination, 0o600, creation.temporary.as_deref())?;
        Ok(Shape::Replace { temporary, mode, owner: existing.map(Box::new) })
    }

    /// `refusal`: why no temporary file could be made; the error if the destination does not exist.
    fn in_place(
        destination: PathBuf,
        existing: Option<&Metadata>,
        refusal: Option<io::Error>,
    ) -> Result<Self> {
        // It is truncated at the end: if it were truncated here and no content came, it would be
        // lost.
        match open_existing(&destination, existing) {
            Ok(file) => Ok(Self { destination, shape: Shape::InPlace(file) }),
            Err(error) => Err(cannot_write(&destination, refusal.unwrap_or(error))),
        }
    }
}

/// Runs blocking work on the file system on a thread that may block.
///
/// # Errors
///
/// Returns the result of the work, or [`ErrorKind::Transfer`] if the runtime is ending.
///
/// # Panics
///
/// If the work does.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(tokio::task::spawn_blocking(work)).await
}

/// Returns the outcome of work on another thread, and resumes its panic.
pub(crate) async fn joined<T>(work: tokio::task::JoinHandle<Result<T>>) -> Result<T> {
    work.await.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Error::new(ErrorKind::Transfer, "the program is ending")),
    })
}

/// The error for a file of this machine that cannot be written.
pub(crate) fn cannot_write(destination: &Path, error: io::Error) -> Error {
    Error::from_io(format!("cannot write {}: {error}", destination.display()), error)
}

/// Follows the symlinks at the end of a path, dangling ones, too.
///
/// Only those of the calling user's and of root's: in a directory where others may write, theirs
/// must not choose what is written.
pub(crate) fn resolve(path: &Path, follow: bool) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match read_trusted_link(&path) {
            Some(link) if follow => {
                path = path.parent().unwrap_or(Path::new("")).join(link);
            }
            _ => return Ok(path),
        }
    }
    let message = format!("{} is a circle of symlinks", path.display());
    Err(Error::new(ErrorKind::Transfer, message))
}

/// Reads a symlink of the calling user's or of root's. It is held open, so that another one cannot
/// take its place.
#[cfg(target_os = "linux")]
fn read_trusted_link(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;

    use rustix::fs::{CWD, Mode, openat, readlinkat};

    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let link = File::from(openat(CWD, path, flags, Mode::empty()).ok()?);
    if !is_trusted(link.metadata().ok()?.uid()) {
        return None;
    }
    let target = readlinkat(&link, "", Vec::new()).ok()?;
    Some(OsString::from_vec(target.into_bytes()).into())
}

/// Reads a symlink of the calling user's or of root's. Other systems cannot hold one open.
#[cfg(not(target_os = "linux"))]
fn read_trusted_link(path: &Path) -> Option<PathBuf> {
    let owner = fs::symlink_metadata(path).ok()?.uid();
    is_trusted(owner).then(|| fs::read_link(path).ok()).flatten()
}

fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// Opens a file to be written, if it is still the one that was found.
fn open_existing(path: &Path, existing: Option<&Metadata>) -> io::Result<File> {
    // Opening a pipe waits for its reader, which another user's pipe may never have. One that takes
    // the place of a file is not waited for.
    if existing.is_some_and(|found| found.file_type().is_fifo() && !is_trusted(found.uid())) {
        return Err(io::Error::other("it is a pipe of another user"));
    }
    let mut flags = OFlags::NOFOLLOW;
    flags.set(OFlags::NONBLOCK, existing.is_some_and(Metadata::is_file));
    let flags = flags.bits().cast_signed();
    let file = File::options().write(true).custom_flags(flags).open(path)?;
    let identity = |found: &Metadata| (found.dev(), found.ino());
    if existing.map(identity) != Some(identity(&file.metadata()?)) {
        return Err(io::Error::other("another user replaced it meanwhile"));
    }
    Ok(file)
}

/// As many as Linux follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

fn takes_no_new_file(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Truncates a file at the current position. A device has no length.
fn cut_off(mut file: File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        let end = file.stream_position()?;
        file.set_len(end)?;
    }
    Ok(())
}

fn temporary_beside(
    destination: &Path,
    bits: u32,
    explicit: Option<&Path>,
) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.permissions(fs::Permissions::from_mode(bits));
    if let Some(path) = explicit {
        let (directory, name) = (directory_of(path), path.file_name().unwrap_or_default());
        return builder.prefix(name).rand_bytes(0).tempfile_in(directory).map_err(without_path);
    }
    let prefix = hidden_prefix(destination);
    let made = builder.prefix(&prefix).rand_bytes(16).tempfile_in(directory_of(destination));
    made.map_err(without_path)
}

/// Returns the error without the hidden path that the tempfile package adds to its text; the error
/// within it is not public.
fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((cause, _)) => io::Error::new(error.kind(), cause.to_owned()),
        None => error,
    }
}

/// The part of the name of our temporary files that precedes the random part.
pub const TEMPORARY_MARK: &str = ".hostlink-";

/// Returns a new name for a temporary file beside `path`: hidden and unpredictable.
///
/// # Errors
///
/// The system has no random numbers.
pub fn hidden_name(path: &Path) -> Result<PathBuf> {
    let mut name = hidden_prefix(path);
    name.push(random_hex()?);
    Ok(directory_of(path).join(name))
}

/// Returns the start of the names of temporary files for `path`. The longest name has 255 bytes
/// (NAME_MAX), with our addition.
fn hidden_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().filter(|name| name.len() <= 200).unwrap_or_default());
    prefix.push(TEMPORARY_MARK);
    prefix
}

/// Returns the directory that contains `path`.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn overwrite(
    temporary: &NamedTempFile,
    destination: &Path,
    existing: Option<&Metadata>,
) -> Result<bool> {
    let copy = || {
        let mut from = temporary.reopen()?;
        let mut to = open_existing(destination, existing)?;
        io::copy(&mut from, &mut to)?;
        cut_off(to)
    };
    copy().map_err(|error| cannot_write(destination, error))?;
    Ok(true)
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode))
}

fn set_owner(file: &File, like: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}
