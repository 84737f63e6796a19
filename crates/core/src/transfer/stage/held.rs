//! Directories of this machine that are held open: another user who replaces a name cannot lead
//! anything elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, openat, statat,
    unlinkat, utimensat,
};

/// What a file or directory gets once it is whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::transfer) struct Permanent {
    pub(in crate::transfer) mode: u32,
    pub(in crate::transfer) time: SystemTime,
}

/// An entry of a directory.
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) is_directory: bool,
}

/// Opens the directory that a path of the caller's names.
pub(super) fn open(path: &Path) -> io::Result<File> {
    Ok(openat(CWD, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// Opens a directory in another one. The last part of `path` is no symlink; an empty path is the
/// directory itself.
pub(super) fn open_in(directory: &File, path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(directory, name_of(path), flags, Mode::empty())?.into())
}

/// Opens a file in a directory. A new one is its owner's alone.
pub(super) fn open_file(directory: &File, path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(directory, path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// The path as the system takes it.
pub(super) fn name_of(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Makes sure that a new directory is empty and the calling user's. Returns the permission bits
/// that the umask leaves a new file, which umask(2) cannot read without setting it.
pub(super) fn probe(directory: &File) -> io::Result<u32> {
    let is_empty = entries(directory)?.is_empty();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let made = File::from(openat(directory, "probe", flags, Mode::from_raw_mode(0o777))?);
    let _ = unlinkat(directory, "probe", AtFlags::empty());
    let (made, found) = (made.metadata()?, directory.metadata()?);
    if !is_empty || made.uid() != found.uid() {
        return Err(io::Error::other("another user replaced the new directory"));
    }
    Ok(made.mode() & 0o777)
}

/// Returns whether a directory is on another file system than the one that it is in.
pub(super) fn is_mount_of(directory: &File, around: &File) -> io::Result<bool> {
    Ok(directory.metadata()?.dev() != around.metadata()?.dev())
}

/// Returns whether both are the same directory.
pub(super) fn is_same(one: &File, other: &File) -> bool {
    let identity = |file: &File| file.metadata().ok().map(|found| (found.dev(), found.ino()));
    identity(one).is_some_and(|it| identity(other) == Some(it))
}

/// Returns whether what has this name is a directory; `None` if there is nothing.
pub(super) fn is_directory(directory: &File, name: &OsStr) -> Option<bool> {
    let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

pub(super) fn is_file(directory: &File, path: &Path) -> bool {
    let found = statat(directory, path, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
}

/// Returns what is in a directory.
pub(super) fn entries(directory: &File) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let is_directory = match entry.file_type() {
            FileType::Unknown => is_directory(directory, name).unwrap_or_default(),
            kind => kind == FileType::Directory,
        };
        entries.push(Entry { name: name.to_owned(), is_directory });
    }
    Ok(entries)
}

/// Sets the time and the mode of a file or directory.
pub(super) fn finish(file: &File, permanent: Permanent) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(permanent.time))?;
    file.set_permissions(Permissions::from_mode(permanent.mode))
}

/// Sets the time of a symlink itself.
pub(super) fn set_symlink_time(
    directory: &File,
    path: &Path,
    modified: SystemTime,
) -> io::Result<()> {
    let whole = |since: Duration| i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let (tv_sec, tv_nsec) = match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => (whole(since), since.subsec_nanos().into()),
        Err(before) => (-whole(before.duration()), 0),
    };
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access, last_modification: Timespec { tv_sec, tv_nsec } };
    Ok(utimensat(directory, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Directories below another one, reached without a symlink.
pub(super) struct Below<'a> {
    top: &'a File,
    /// The last one, from which its children are reached.
    last: Option<(PathBuf, File)>,
}

impl<'a> Below<'a> {
    pub(super) fn new(top: &'a File) -> Self {
        Self { top, last: None }
    }

    pub(super) fn at(&mut self, path: &Path) -> io::Result<&File> {
        let Some(parent) = path.parent() else { return Ok(self.top) };
        let opened = match &self.last {
            Some((last, directory)) if last == parent => {
                open_in(directory, Path::new(path.file_name().unwrap_or_default()))?
            }
            _ => {
                let mut directory = open_in(self.top, Path::new(""))?;
                for part in path {
                    directory = open_in(&directory, Path::new(part))?;
                }
                directory
            }
        };
        Ok(&self.last.insert((path.to_owned(), opened)).1)
    }
}
