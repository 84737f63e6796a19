//! The root directory of a container, below which paths lead nowhere else.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hostlink_core::transfer::hidden_name;
use rustix::fs::{
    AtFlags, CWD, FileType, FsWord, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps,
    UTIME_OMIT, Uid, fchmod, fchown, fstat, fstatfs, futimens, openat, openat2, renameat, statat,
    unlinkat,
};

/// File systems whose files are answers to whoever asks (linux/magic.h): proc, sysfs, cgroup, cgroup2.
const ANSWERS: [FsWord; 4] = [0x9fa0, 0x6265_6572, 0x27_e0eb, 0x6367_7270];

/// The root directory of a container that runs.
pub(super) struct Root {
    /// Its first process, in `/proc`: what is opened below it fails once the process is gone, whoever has its number then.
    process: OwnedFd,
    directory: OwnedFd,
}

impl Root {
    /// The root of the container `id`, whose first process the engine says is `pid`; `None` if that is another process here, or
    /// its users are not this machine's.
    pub(super) fn of(pid: i64, id: &str) -> Option<Self> {
        let process = format!("/proc/{pid}");
        let process = openat(CWD, &*process, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let process = process.ok()?;
        let text = |name: &str| read(&process, name).unwrap_or_default();
        let is_its = text("cgroup").contains(id) || text("mountinfo").contains(id);
        let users = |of: &OwnedFd, name: &str| rustix::fs::readlinkat(of, name, Vec::new()).ok();
        let me = openat(CWD, "/proc/self", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let mine = users(&me.ok()?, "ns/user")?;
        if !is_its || users(&process, "ns/user")? != mine {
            return None;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&process, "root", flags, Mode::empty()).ok()?;
        Some(Self { process, directory })
    }

    /// Whether the container's first process is there: a container that has ended keeps its files for as long as they are
    /// open, and nobody would find what is written to them.
    pub(super) fn is_alive(&self) -> bool {
        read(&self.process, "stat").is_ok()
    }

    /// A regular file, to be read.
    pub(super) fn read(&self, path: &str) -> Option<File> {
        // What else it may be is not opened: that may wait, or be noticed.
        let found = self.open(path, OFlags::PATH)?;
        if !is_regular(&fstat(&found).ok()?) || !has_files(&found) {
            return None;
        }
        let again = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
        File::open(again).ok()
    }

    fn open(&self, path: &str, flags: OFlags) -> Option<OwnedFd> {
        if !path.starts_with('/') {
            return None;
        }
        let flags = flags | OFlags::CLOEXEC;
        openat2(&self.directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()
    }
}

/// Where a file is to be.
pub(super) struct Place {
    directory: OwnedFd,
    name: OsString,
    existing: Option<Existing>,
}

/// A file that is there.
#[derive(Clone, Copy)]
pub(super) struct Existing {
    pub(super) mode: u32,
    owner: (u32, u32),
}

impl Place {
    /// The place at this path; `None` if what is there is not for a new file to replace.
    pub(super) fn find(root: &Root, path: &str, follow: bool) -> Option<Self> {
        let path = Path::new(path);
        let name = path.file_name()?.to_owned();
        let directory = root.open(path.parent()?.to_str()?, OFlags::DIRECTORY)?;
        if !has_files(&directory) {
            return None;
        }
        let existing = match statat(&directory, &*name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if is_regular(&found) => {
                Some(Existing { mode: found.st_mode & 0o7777, owner: (found.st_uid, found.st_gid) })
            }
            Ok(found) if is_symlink(&found) && !follow => None,
            Ok(_) => return None,
            Err(rustix::io::Errno::NOENT) => None,
            Err(_) => return None,
        };
        Some(Self { directory, name, existing })
    }

    pub(super) fn existing(&self) -> Option<Existing> {
        self.existing
    }

    /// A new file beside it, which only its owner may read.
    pub(super) fn temporary(&self) -> Option<Temporary<'_>> {
        let name = hidden_name(Path::new(&self.name)).ok()?.file_name()?.to_owned();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, &*name, flags, Mode::RUSR | Mode::WUSR).ok()?;
        Some(Temporary { place: self, name: Some(name), file: file.into() })
    }
}

/// A file that is being written, which goes unless it is given its name.
pub(super) struct Temporary<'a> {
    place: &'a Place,
    name: Option<OsString>,
    file: File,
}

impl Temporary<'_> {
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its owner, mode, time and name.
    pub(super) fn commit(
        mut self,
        mode: u32,
        existing: Option<&Existing>,
        modified: Option<SystemTime>,
    ) -> Option<()> {
        let found = fstat(&self.file).ok()?;
        if let Some(Existing { owner, .. }) = existing
            && *owner != (found.st_uid, found.st_gid)
        {
            let (user, group) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
            fchown(&self.file, Some(user), Some(group)).ok()?;
        }
        fchmod(&self.file, Mode::from_raw_mode(mode)).ok()?;
        if let Some(time) = modified {
            futimens(&self.file, &times(time)?).ok()?;
        }
        let name = self.name.take()?;
        let renamed = rename(&self.place.directory, &name, &self.place.name);
        if renamed.is_none() {
            self.name = Some(name);
        }
        renamed
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            let _ = unlinkat(&self.place.directory, &*name, AtFlags::empty());
        }
    }
}

fn rename(directory: &OwnedFd, from: &OsStr, to: &OsStr) -> Option<()> {
    renameat(directory, from, directory, to).ok()
}

fn times(modified: SystemTime) -> Option<Timestamps> {
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let time = Timespec {
        tv_sec: i64::try_from(since.as_secs()).ok()?,
        tv_nsec: since.subsec_nanos().into(),
    };
    Some(Timestamps { last_access: omit, last_modification: time })
}

fn is_regular(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
}

fn is_symlink(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Symlink
}

/// Whether it is on a file system that keeps files.
fn has_files(file: &OwnedFd) -> bool {
    fstatfs(file).is_ok_and(|system| !ANSWERS.contains(&system.f_type))
}

fn read(process: &OwnedFd, name: &str) -> io::Result<String> {
    let file = openat(process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text)?;
    Ok(text)
}
