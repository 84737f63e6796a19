//! A directory of this machine that is filled with what a target sends, and appears whole.
//!
//! The target may be hostile: nothing that it names may lie outside, and nothing is written through
//! a symlink.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use filetime::FileTime;
use tempfile::TempDir;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::contract::files::{directory_of, hidden_prefix};
use crate::values::error::{Error, ErrorKind, Result};

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// A directory being filled. Dropped before [`commit`](Self::commit) it leaves nothing.
#[derive(Debug)]
pub(super) struct Stage {
    root: TempDir,
    destination: PathBuf,
    directories: Vec<(PathBuf, u32, SystemTime)>,
    /// The same, to be looked up: asking the file system for each part of each path would take the
    /// cube of a tree's depth.
    known: HashSet<PathBuf>,
    pub(super) bytes: u64,
    pub(super) warnings: Warnings,
    /// Declared after `root`, so that it is dropped once that is removed.
    tracked: TaskTrackerToken,
}

/// What was not taken over as it is. A target may send any number of such entries.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    texts: Vec<String>,
    more: u64,
}

impl Warnings {
    /// The most that are reported one by one.
    const MOST: usize = 20;

    fn add(&mut self, path: &Path, problem: &str) {
        match self.texts.len() < Self::MOST {
            true => self.texts.push(format!("{:?} {problem}", path.to_string_lossy())),
            false => self.more += 1,
        }
    }

    /// Returns the warnings, the last of which counts those that are not kept.
    pub(super) fn take(&mut self) -> Vec<String> {
        let mut texts = std::mem::take(&mut self.texts);
        if self.more > 0 {
            texts.push(format!("{} more entries are left out or changed", self.more));
        }
        texts
    }
}

impl Stage {
    /// A hidden directory beside `destination`, which is followed if it is a symlink. The tracker
    /// of `tracked` waits until it is committed or removed.
    pub(super) fn create(destination: &Path, tracked: TaskTrackerToken) -> Result<Self> {
        let failed =
            |error| Error::from_io(format!("cannot make {}", destination.display()), error);
        let there = fs::symlink_metadata(destination).is_ok();
        if there && !destination.is_dir() {
            let message = format!("{} is not a directory", destination.display());
            return Err(Error::new(ErrorKind::Transfer, message));
        }
        let destination = if there {
            destination.canonicalize().map_err(failed)?
        } else {
            destination.to_owned()
        };
        let prefix = hidden_prefix(&destination);
        let mut builder = tempfile::Builder::new();
        // Nobody else sees, or plants, anything in it before it is whole.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let root = builder
            .prefix(&prefix)
            .rand_bytes(16)
            .tempdir_in(directory_of(&destination))
            .map_err(failed)?;
        Ok(Self {
            root,
            destination,
            directories: Vec::new(),
            known: HashSet::new(),
            bytes: 0,
            warnings: Warnings::default(),
            tracked,
        })
    }

    /// A directory. Its set-id bits are dropped, and not refused as those of files: that would
    /// refuse `/usr/local`. Its mode is set at the end, so that it can be filled.
    pub(super) fn directory(&mut self, path: &Path, mode: u32, time: SystemTime) -> Result<()> {
        let Some(inside) = self.locate(path)? else { return Ok(()) };
        fs::create_dir(&inside).map_err(|error| refused(path, &error.to_string()))?;
        self.known.insert(inside.clone());
        self.directories.push((inside, mode & 0o777, time));
        Ok(())
    }

    /// A file with this content.
    pub(super) fn file(
        &mut self,
        path: &Path,
        mode: u32,
        time: SystemTime,
        content: &mut impl Read,
    ) -> Result<()> {
        let inside = self.file_path(path, mode)?;
        let mut write = || -> io::Result<u64> {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&inside)?;
            let bytes = io::copy(content, &mut file)?;
            set_permissions(&file, mode & 0o777)?;
            file.set_modified(time)?;
            Ok(bytes)
        };
        self.bytes += write().map_err(|error| {
            Error::from_io(format!("{} could not be stored", path.display()), error)
        })?;
        Ok(())
    }

    /// Where a file of this path is to be stored.
    pub(super) fn file_path(&mut self, path: &Path, mode: u32) -> Result<PathBuf> {
        if mode & SET_ID != 0 {
            self.warnings.add(path, "is stored without its set-ID bits");
        }
        let inside = self.locate(path)?.ok_or_else(|| refused(path, "it names the root"))?;
        if fs::symlink_metadata(&inside).is_ok() {
            return Err(refused(path, "it comes twice"));
        }
        Ok(inside)
    }

    /// A symlink, wherever it leads. Nothing is ever stored through it.
    pub(super) fn symlink(&mut self, path: &Path, target: &Path, time: SystemTime) -> Result<()> {
        let inside = self.locate(path)?.ok_or_else(|| refused(path, "it names the root"))?;
        let time = FileTime::from_system_time(time);
        make_symlink(target, &inside)
            .and_then(|()| filetime::set_symlink_file_times(&inside, time, time))
            .map_err(|error| refused(path, &error.to_string()))
    }

    /// A file on the destination's file system that has no name, opened twice: to be written, and
    /// to be read from its beginning.
    pub(super) fn scratch(&self) -> Result<(File, File)> {
        let made = tempfile::NamedTempFile::new_in(self.root.path());
        let opened = made.and_then(|file| Ok((file.reopen()?, file.reopen()?)));
        opened.map_err(|error| Error::from_io("the target's list cannot be stored", error))
    }

    /// Leaves out what is no file, directory or link.
    pub(super) fn leave_out(&mut self, path: &Path) {
        self.warnings.add(path, "is no file and is left out");
    }

    /// One more name for a file that is inside.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        let inside = self.locate(path)?.ok_or_else(|| refused(path, "it names the root"))?;
        let original = self.locate(target)?.ok_or_else(|| refused(path, "it links to the root"))?;
        let is_file = fs::symlink_metadata(&original).is_ok_and(|found| found.is_file());
        if !is_file {
            return Err(refused(path, "it links to what is no file in the tree"));
        }
        fs::hard_link(original, inside).map_err(|error| refused(path, &error.to_string()))
    }

    /// Lets the directory appear, or moves what is in it into the one that is there.
    pub(super) fn commit(self, mode: u32, time: SystemTime) -> Result<()> {
        let failed =
            |error| Error::from_io(format!("cannot write {}", self.destination.display()), error);
        let root = self.root.path();
        if self.destination.is_dir() {
            check(root, &self.destination)?;
            return self.merge(root).map_err(failed);
        }
        self.finish_directories(&self.directories).map_err(failed)?;
        finish_directory(root, mode & 0o777, time).map_err(failed)?;
        fs::rename(root, &self.destination).map_err(failed)?;
        // The name is gone: there is nothing for the guard to remove.
        let _ = self.root.keep();
        Ok(())
    }

    /// Moves everything into the destination. Only new directories get a mode and a time, at the
    /// end: a read-only one could not be moved or filled.
    fn merge(&self, root: &Path) -> io::Result<()> {
        let moved = |(path, mode, time): &(PathBuf, u32, SystemTime)| {
            let below = path.strip_prefix(root).ok()?;
            let there = self.destination.join(below);
            (!there.exists()).then_some((there, *mode, *time))
        };
        let new: Vec<_> = self.directories.iter().filter_map(moved).collect();
        merge(root, &self.destination)?;
        self.finish_directories(&new)
    }

    fn finish_directories(&self, directories: &[(PathBuf, u32, SystemTime)]) -> io::Result<()> {
        // Children first: making them read-only, or filling them, touches their parents.
        let mut children_first = directories.iter().rev();
        children_first.try_for_each(|(path, mode, time)| finish_directory(path, *mode, *time))
    }

    /// The path inside; `None` for the root itself. Its parents are directories of ours, not
    /// symlinks.
    fn locate(&self, path: &Path) -> Result<Option<PathBuf>> {
        let mut inside = self.root.path().to_owned();
        for part in path.components().filter(|part| *part != Component::CurDir) {
            let Component::Normal(name) = part else {
                return Err(refused(path, "it leads out of the destination"));
            };
            inside.push(name);
        }
        if inside == self.root.path() {
            return Ok(None);
        }
        let parent = directory_of(&inside);
        if parent != self.root.path() && !self.known.contains(parent) {
            return Err(refused(path, "it passes through what is no directory"));
        }
        Ok(Some(inside))
    }
}

/// Removes a stage that a thread was still writing to when it was dropped: the guard's own removal
/// then finds it not empty.
pub(super) struct Sweeper(Option<(PathBuf, TaskTrackerToken)>);

impl Sweeper {
    /// Is to be dropped after the stage. The stage's tracker waits for the removal.
    pub(super) fn of(stage: &Stage) -> Self {
        Self(Some((stage.root.path().to_owned(), stage.tracked.clone())))
    }

    /// Leaves the stage to its commit, which goes on if its caller is dropped, and must not lose
    /// files before it renames them.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        let Some((path, tracked)) = self.0.take() else { return };
        if !path.exists() {
            return;
        }
        std::thread::spawn(move || {
            for _ in 0..500 {
                if fs::remove_dir_all(&path).is_ok() || !path.exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            drop(tracked);
        });
    }
}

/// The error for an entry that no honest target sends.
pub(super) fn refused(path: &Path, reason: &str) -> Error {
    let message = format!("{:?} from the target is refused: {reason}", path.to_string_lossy());
    Error::new(ErrorKind::Transfer, message)
}

fn entries(directory: &Path) -> io::Result<Vec<(fs::FileType, PathBuf, std::ffi::OsString)>> {
    fs::read_dir(directory)?
        .map(|entry| entry.and_then(|e| Ok((e.file_type()?, e.path(), e.file_name()))))
        .collect()
}

/// Finds what is in the way before anything is moved.
fn check(from: &Path, to: &Path) -> Result<()> {
    let failed = |error| Error::from_io(format!("cannot read {}", from.display()), error);
    for (kind, path, name) in entries(from).map_err(failed)? {
        let there = to.join(name);
        let Ok(existing) = fs::symlink_metadata(&there) else { continue };
        if kind.is_dir() != existing.is_dir() {
            let message = format!("{} is in the way", there.display());
            return Err(Error::new(ErrorKind::Transfer, message));
        }
        if kind.is_dir() {
            check(&path, &there)?;
        }
    }
    Ok(())
}

fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for (kind, path, name) in entries(from)? {
        let there = to.join(name);
        if kind.is_dir() && there.is_dir() {
            merge(&path, &there)?;
        } else {
            fs::rename(&path, &there)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_symlink(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(unix)]
fn set_permissions(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_permissions(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

fn finish_directory(path: &Path, mode: u32, time: SystemTime) -> io::Result<()> {
    let directory = File::open(path)?;
    filetime::set_file_handle_times(&directory, None, Some(FileTime::from_system_time(time)))?;
    set_permissions(&directory, mode)
}

#[cfg(test)]
mod tests;
