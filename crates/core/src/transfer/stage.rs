//! A directory of this machine that is filled with what a target sends, and appears whole.
//!
//! The target may be hostile: nothing that it names may lie outside, and nothing is written through
//! a symlink.

mod held;
mod warnings;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use indexmap::IndexMap;
use rustix::fs::{AtFlags, Mode, OFlags, chmodat, linkat, mkdirat, symlinkat};
use tokio_util::task::task_tracker::TaskTrackerToken;

pub(super) use self::held::Permanent;
use self::held::{Below, entries, finish, is_directory, open_in};
use self::warnings::Warnings;
use crate::contract::files::{GetOptions, cannot_write, directory_of, hidden_name, resolve};
use crate::values::error::{Error, ErrorKind, Result};

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// The permission bits of a file.
const PERMISSIONS: u32 = 0o777;

/// Bytes between a stream and a file.
const PIECE: usize = 64 * 1024;

/// A directory being filled. Dropped before [`commit`](Self::commit) it leaves nothing.
///
/// It is held open, as is the directory that it appears in: all paths in it start there, so that
/// another user who replaces one of the names cannot lead anything elsewhere.
#[derive(Debug)]
pub(super) struct Stage {
    /// The directory that it is in, and its name there.
    around: File,
    hidden: OsString,
    root: File,
    /// The directory that was at the destination, to be merged into.
    existing: Option<File>,
    /// The destination's name in `around`.
    name: OsString,
    /// The destination for messages.
    destination: PathBuf,
    /// The permission bits that are kept.
    kept: u32,
    /// The directories in it, parents first. Asking the file system for each part of each path
    /// would take the cube of a tree's depth.
    directories: IndexMap<PathBuf, Permanent>,
    pub(super) bytes: u64,
    pub(super) warnings: Warnings,
    is_committed: bool,
    /// Its tracker waits until the directory is committed or removed.
    _tracked: TaskTrackerToken,
}

impl Stage {
    /// Makes a hidden directory beside `destination`, which is followed if it is a symlink of the
    /// calling user's or root's. Unless modes are to be preserved, the umask applies. The tracker
    /// of `tracked` waits until it is committed or removed.
    pub(super) fn create(
        destination: &Path,
        options: &GetOptions,
        tracked: TaskTrackerToken,
    ) -> Result<Self> {
        let failed = |error| {
            Error::from_io(format!("cannot make {}: {error}", destination.display()), error)
        };
        let mut path = resolve(destination, true)?;
        if path.file_name().is_none() {
            path = path.canonicalize().map_err(failed)?;
        }
        let mut around = held::open(directory_of(&path)).map_err(failed)?;
        let name = path.file_name().map_or_else(|| ".".into(), ToOwned::to_owned);
        let existing = match open_in(&around, Path::new(&name)) {
            Ok(existing) => Some(existing),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path == destination => None,
            Err(error)
                if error.kind() == io::ErrorKind::NotADirectory
                    || error.kind() == io::ErrorKind::NotFound =>
            {
                return Err(no_directory(destination, &path));
            }
            Err(error) => return Err(failed(error)),
        };
        // What is on another file system cannot be renamed into it.
        if let Some(existing) = &existing
            && held::is_mount_of(existing, &around).map_err(failed)?
        {
            around = existing.try_clone().map_err(failed)?;
        }
        let hidden = hidden_name(Path::new(&name))?.file_name().unwrap_or_default().to_owned();
        // No other user can see or plant anything in it before it is complete.
        mkdirat(&around, &hidden, Mode::RWXU).map_err(io::Error::from).map_err(failed)?;
        let opened = open_in(&around, Path::new(&hidden));
        let opened = opened.and_then(|root| Ok((held::probe(&root)?, root)));
        let (kept, root) = opened.map_err(|error| {
            let _ = rustix::fs::unlinkat(&around, &hidden, AtFlags::REMOVEDIR);
            failed(error)
        })?;
        Ok(Self {
            around,
            hidden,
            root,
            existing,
            name,
            destination: destination.to_owned(),
            kept: if options.preserve { PERMISSIONS } else { kept },
            directories: IndexMap::new(),
            bytes: 0,
            warnings: Warnings::default(),
            is_committed: false,
            _tracked: tracked,
        })
    }

    /// A directory. Its set-id bits are dropped, and not refused as those of files: that would
    /// refuse `/usr/local`. Its mode is set at the end, so that it can be filled.
    pub(super) fn directory(&mut self, path: &Path, mode: u32, time: SystemTime) -> Result<()> {
        let Some(inside) = self.locate(path)? else { return Ok(()) };
        let made = mkdirat(&self.root, &inside, Mode::RWXU);
        made.map_err(|error| self.not_stored(path, error.into()))?;
        self.directories.insert(inside, Permanent { mode: mode & self.kept, time });
        Ok(())
    }

    /// A file with this content. `broken` makes the error for content that cannot be read.
    pub(super) fn file(
        &mut self,
        path: &Path,
        permanent: Permanent,
        content: &mut impl Read,
        broken: fn(io::Error) -> Error,
    ) -> Result<()> {
        let mut file = self.new_file(path, permanent.mode)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let length = content.read(&mut buffer).map_err(broken)?;
            if length == 0 {
                break;
            }
            file.write_all(&buffer[..length]).map_err(|error| self.not_stored(path, error))?;
            self.bytes += length as u64;
        }
        self.finish_file(path, &file, permanent)
    }

    /// Makes a file, to be written and then [finished](Self::finish_file).
    pub(super) fn new_file(&mut self, path: &Path, mode: u32) -> Result<File> {
        if mode & SET_ID != 0 {
            self.warnings.add(path, "is stored without its set-ID bits");
        }
        let inside = self.locate(path)?.ok_or_else(|| refused(path, "it names the root"))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let made = held::open_file(&self.root, &inside, flags);
        made.map_err(|error| self.not_stored(path, error))
    }

    /// Sets a file's mode and time.
    pub(super) fn finish_file(&self, path: &Path, file: &File, permanent: Permanent) -> Result<()> {
        let Permanent { mode, time } = permanent;
        finish(file, Permanent { mode: mode & self.kept, time })
            .map_err(|error| self.not_stored(path, error))
    }

    /// A symlink, wherever it leads. Nothing is ever stored through it.
    pub(super) fn symlink(&mut self, path: &Path, target: &Path, time: SystemTime) -> Result<()> {
        let inside = self.locate(path)?.ok_or_else(|| refused(path, "it names the root"))?;
        symlinkat(target, &self.root, &inside)
            .map_err(io::Error::from)
            .and_then(|()| held::set_symlink_time(&self.root, &inside, time))
            .map_err(|error| self.not_stored(path, error))
    }

    /// A file on the destination's file system that has no name, opened twice: to be written, and
    /// to be read from its beginning.
    pub(super) fn scratch(&self) -> Result<(File, File)> {
        let path = Path::new("list");
        let opened =
            held::open_file(&self.root, path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
                .and_then(|list| Ok((list, held::open_file(&self.root, path, OFlags::RDONLY)?)));
        let _ = rustix::fs::unlinkat(&self.root, path, AtFlags::empty());
        opened.map_err(|error| self.not_stored(path, error))
    }

    /// Leaves out what is no file, directory or link.
    pub(super) fn leave_out(&mut self, path: &Path) {
        self.warnings.add(path, "is no file and is left out");
    }

    /// One more name for a file that is inside.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        let inside = self.locate(path)?.ok_or_else(|| refused(path, "it names the root"))?;
        let original = self.locate(target)?.ok_or_else(|| refused(path, "it links to the root"))?;
        if !held::is_file(&self.root, &original) {
            return Err(refused(path, "it links to what is no file in the tree"));
        }
        linkat(&self.root, &original, &self.root, &inside, AtFlags::empty())
            .map_err(|error| self.not_stored(path, error.into()))
    }

    /// Lets the directory appear, or moves what is in it into the one that is there.
    pub(super) fn commit(mut self, mode: u32, time: SystemTime) -> Result<()> {
        // It may have been made meanwhile.
        let there =
            self.existing.take().or_else(|| open_in(&self.around, Path::new(&self.name)).ok());
        if let Some(there) = there {
            let merged = self.shared_with(&there)?;
            return self.merge(&there, &merged).map_err(|error| self.not_written(error));
        }
        let permanent = Permanent { mode: mode & self.kept, time };
        let appeared = self.finish_directories(|_| true).and_then(|()| {
            finish(&self.root, permanent)?;
            rustix::fs::renameat(&self.around, &self.hidden, &self.around, &self.name)?;
            // In a directory of another user's the hidden name may have been another directory's.
            let found = open_in(&self.around, Path::new(&self.name));
            self.is_committed = found.is_ok_and(|it| held::is_same(&it, &self.root));
            match self.is_committed {
                true => Ok(()),
                false => Err(io::Error::other("another user replaced it meanwhile")),
            }
        });
        appeared.map_err(|error| self.not_written(error))
    }

    /// Finds what is in the way before anything is moved. Returns the directories that are in both
    /// trees.
    fn shared_with(&self, there: &File) -> Result<HashSet<PathBuf>> {
        let mut shared = HashSet::from([PathBuf::new()]);
        let mut below = Below::new(there);
        for path in self.paths() {
            if !shared.contains(path) {
                continue;
            }
            let here = open_in(&self.root, path).map_err(|error| self.not_written(error))?;
            let to = below.at(path).map_err(|error| self.not_written(error))?;
            for entry in entries(&here).map_err(|error| self.not_written(error))? {
                let Some(is_directory) = is_directory(to, &entry.name) else { continue };
                let path = path.join(&entry.name);
                if is_directory != entry.is_directory {
                    let path = self.destination.join(path);
                    let message = format!("{} is in the way", path.display());
                    return Err(Error::new(ErrorKind::Transfer, message));
                }
                if is_directory {
                    shared.insert(path);
                }
            }
        }
        Ok(shared)
    }

    /// Moves everything into the destination. Only new directories get a mode and a time: those
    /// that are moved get theirs afterwards, since a read-only one could not be moved.
    fn merge(&self, there: &File, shared: &HashSet<PathBuf>) -> io::Result<()> {
        self.finish_directories(|path| !shared.contains(directory_of_relative(path)))?;
        let mut below = Below::new(there);
        for path in self.paths().filter(|path| shared.contains(*path)) {
            let here = open_in(&self.root, path)?;
            let to = below.at(path)?;
            for entry in entries(&here)? {
                let inside = path.join(&entry.name);
                if shared.contains(&inside) {
                    continue;
                }
                let permanent = self.directories.get(&inside);
                let moved =
                    permanent.map(|it| Ok::<_, io::Error>((open_in(&self.root, &inside)?, *it)));
                let moved = moved.transpose()?;
                rustix::fs::renameat(&here, &entry.name, to, &entry.name)?;
                if let Some((directory, permanent)) = moved {
                    finish(&directory, permanent)?;
                }
            }
        }
        Ok(())
    }

    /// All its directories, parents first, with itself.
    fn paths(&self) -> impl DoubleEndedIterator<Item = &Path> {
        std::iter::once(Path::new("")).chain(self.directories.keys().map(PathBuf::as_path))
    }

    fn finish_directories(&self, which: impl Fn(&Path) -> bool) -> io::Result<()> {
        // Children first: making them read-only, or filling them, touches their parents.
        let mut children_first = self.directories.iter().rev().filter(|(path, _)| which(path));
        children_first.try_for_each(|(path, it)| finish(&open_in(&self.root, path)?, *it))
    }

    /// The path inside; `None` for the root itself. Its parents are directories of ours, not
    /// symlinks.
    fn locate(&self, path: &Path) -> Result<Option<PathBuf>> {
        let mut inside = PathBuf::new();
        for part in path.components().filter(|part| *part != Component::CurDir) {
            let Component::Normal(name) = part else {
                return Err(refused(path, "it leads out of the destination"));
            };
            inside.push(name);
        }
        if inside.as_os_str().is_empty() {
            return Ok(None);
        }
        let parent = directory_of_relative(&inside);
        if !parent.as_os_str().is_empty() && !self.directories.contains_key(parent) {
            return Err(refused(path, "it passes through what is no directory"));
        }
        Ok(Some(inside))
    }

    fn not_stored(&self, path: &Path, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return refused(path, "it comes twice");
        }
        cannot_write(&self.destination_of(path), error)
    }

    fn not_written(&self, error: io::Error) -> Error {
        cannot_write(&self.destination, error)
    }

    /// Where a path of the tree will be, for messages.
    pub(super) fn destination_of(&self, path: &Path) -> PathBuf {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        self.destination.join(parts.collect::<PathBuf>())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.is_committed {
            return;
        }
        for path in self.paths().rev() {
            // It may have a mode that does not let it be emptied.
            let _ = chmodat(&self.root, held::name_of(path), Mode::RWXU, AtFlags::empty());
            let Ok(directory) = open_in(&self.root, path) else { continue };
            for entry in entries(&directory).unwrap_or_default() {
                let kind = if entry.is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
                let _ = rustix::fs::unlinkat(&directory, &entry.name, kind);
            }
        }
        let _ = rustix::fs::unlinkat(&self.around, &self.hidden, AtFlags::REMOVEDIR);
    }
}

/// The directory of a path in the tree; empty for the root.
fn directory_of_relative(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The error for a destination that is something else.
fn no_directory(destination: &Path, resolved: &Path) -> Error {
    let (path, is_link) = (destination.display(), resolved.is_symlink());
    let message = match is_link {
        true => format!("{path} is a symlink of another user: name the directory itself"),
        false => format!("{path} is not a directory"),
    };
    Error::new(ErrorKind::Transfer, message)
}

/// The error for an entry that no honest target sends.
pub(super) fn refused(path: &Path, reason: &str) -> Error {
    let message = format!("{:?} from the target is refused: {reason}", path.to_string_lossy());
    Error::new(ErrorKind::Transfer, message)
}

#[cfg(test)]
mod tests;
