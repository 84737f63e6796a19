//! The root directory of a container. Paths below it cannot lead out of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hostlink_core::transfer::hidden_name;
use rustix::fs::{
    AtFlags, CWD, FileType, FsWord, Gid, Mode, OFlags, ResolveFlags, Stat, StatxAttributes,
    StatxFlags, Timespec, Timestamps, UTIME_OMIT, Uid, fchmod, fchown, fstat, fstatfs, futimens,
    openat, openat2, readlinkat, renameat, statx, unlinkat,
};

/// File systems whose content depends on the reader (linux/magic.h): proc, sysfs, cgroup, cgroup2,
/// FUSE.
const ANSWERS: [FsWord; 5] = [0x9fa0, 0x6265_6572, 0x27_e0eb, 0x6367_7270, 0x6573_5546];

const TMPFS: FsWord = 0x0102_1994;

/// The capabilities that root needs for all file operations: the bits of CAP_CHOWN,
/// CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_FSETID (capabilities(7)).
const NEEDED: u64 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4;

/// The report of an engine about a container.
pub(super) struct Claim {
    /// Its first process.
    pub(super) pid: i64,
    pub(super) id: String,
    /// The directory on this machine with the container's changes: overlay's upper layer.
    pub(super) layer: String,
    /// Its memory is limited.
    pub(super) limits_memory: bool,
}

/// The root directory of a running container.
pub(super) struct Root {
    /// Its first process, in `/proc`: opening a path below it fails once the process is gone, even
    /// if its ID is used again.
    process: OwnedFd,
    directory: OwnedFd,
    limits_memory: bool,
}

impl Root {
    /// Opens the root of the container; `None` if the process is a different one here, if its users
    /// or its root directory are not those of commands in the container, or if it lacks root's
    /// capabilities.
    pub(super) fn of(claim: &Claim) -> Option<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let process = openat(CWD, &*format!("/proc/{}", claim.pid), flags, Mode::empty()).ok()?;
        let me = openat(CWD, "/proc/self", flags, Mode::empty()).ok()?;
        let link = |of: &OwnedFd, name: &str| readlinkat(of, name, Vec::new()).ok();
        let is_its = read(&process, "cgroup").ok()?.contains(&claim.id)
            && link(&process, "ns/mnt")? != link(&me, "ns/mnt")?
            && link(&process, "ns/user")? == link(&me, "ns/user")?
            && has_root(&read(&process, "mountinfo").ok()?, &claim.layer)
            && may_all(&read(&process, "status").ok()?);
        if !is_its {
            return None;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&process, "root", flags, Mode::empty()).ok()?;
        Some(Self { process, directory, limits_memory: claim.limits_memory })
    }

    /// Returns whether the container's first process still exists: an ended container keeps its
    /// files while they are open, and writes to them would be lost.
    pub(super) fn is_alive(&self) -> bool {
        read(&self.process, "stat").is_ok()
    }

    /// Opens a regular file for reading.
    pub(super) fn read(&self, path: &str) -> Option<File> {
        // Other files are not opened: that may block, or have effects.
        let found = self.open(path, OFlags::PATH)?;
        if !is_regular(&fstat(&found).ok()?) || ANSWERS.contains(&system_of(&found)?) {
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

/// The destination of a file.
pub(super) struct Destination {
    directory: OwnedFd,
    name: OsString,
    existing: Option<Existing>,
}

/// An existing file.
#[derive(Clone, Copy)]
pub(super) struct Existing {
    pub(super) mode: u32,
    owner: (u32, u32),
}

/// The file or directory that exists at a destination.
struct Found {
    kind: FileType,
    file: Existing,
    /// The file is a mount point. rename(2) returns EBUSY only for mounts of the caller's
    /// namespace, and detaches those of another one.
    is_mount: bool,
}

impl Found {
    fn at(directory: &OwnedFd, name: &str) -> rustix::io::Result<Self> {
        let found = statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?;
        let mode = u32::from(found.stx_mode);
        let mount = StatxAttributes::MOUNT_ROOT;
        Ok(Self {
            kind: FileType::from_raw_mode(mode),
            file: Existing { mode: mode & 0o7777, owner: (found.stx_uid, found.stx_gid) },
            // Linux before 5.8 does not report it.
            is_mount: found.stx_attributes.contains(mount)
                || !found.stx_attributes_mask.contains(mount),
        })
    }
}

impl Destination {
    /// Opens the destination; `None` if what exists there must not be replaced by a new file.
    pub(super) fn find(root: &Root, path: &str, follow: bool) -> Option<Self> {
        let (parent, name) = path.rsplit_once('/')?;
        if ["", ".", ".."].contains(&name) {
            return None;
        }
        let directory =
            root.open(if parent.is_empty() { "/" } else { parent }, OFlags::DIRECTORY)?;
        let system = system_of(&directory)?;
        if ANSWERS.contains(&system) || system == TMPFS && root.limits_memory {
            return None;
        }
        let existing = match Found::at(&directory, name) {
            Ok(found) if found.is_mount => return None,
            Ok(Found { kind: FileType::RegularFile, file, .. }) => Some(file),
            Ok(found) if found.kind == FileType::Symlink && !follow => None,
            Err(rustix::io::Errno::NOENT) => None,
            _ => return None,
        };
        Some(Self { directory, name: name.into(), existing })
    }

    pub(super) fn existing(&self) -> Option<Existing> {
        self.existing
    }

    /// Makes a new file beside it, readable only by its owner.
    pub(super) fn temporary(&self) -> Option<Temporary<'_>> {
        let name = hidden_name(Path::new(&self.name)).ok()?.file_name()?.to_owned();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, &*name, flags, Mode::RUSR | Mode::WUSR).ok()?;
        Some(Temporary { place: self, name: Some(name), file: file.into() })
    }
}

/// A file that is being written. It is removed unless it gets its final name.
pub(super) struct Temporary<'a> {
    place: &'a Destination,
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

fn system_of(file: &OwnedFd) -> Option<FsWord> {
    fstatfs(file).ok().map(|system| system.f_type)
}

/// Returns whether the root directory of a process is an overlay with this upper layer, from its
/// mountinfo (proc_pid_mountinfo(5)). Mounts outside of a root directory are not listed there: a
/// process that has changed its root has no such line, although commands in the container do not
/// share its root.
fn has_root(mounts: &str, layer: &str) -> bool {
    mounts.lines().any(|line| {
        let Some((mount, system)) = line.split_once(" - ") else { return false };
        let mount: Vec<&str> = mount.split(' ').collect();
        let system: Vec<&str> = system.split(' ').collect();
        let upper = format!("upperdir={layer}");
        mount.get(3..5) == Some(&["/", "/"])
            && system.first() == Some(&"overlay")
            && system.last().is_some_and(|options| options.split(',').any(|it| it == upper))
    })
}

fn may_all(status: &str) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set & NEEDED == NEEDED)
}

fn read(process: &OwnedFd, name: &str) -> io::Result<String> {
    let file = openat(process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_known_by_its_upper_layer() {
        let line = |root: &str, at: &str, system: &str, layer: &str| {
            format!(
                "244 95 0:49 {root} {at} rw,relatime master:7 - {system} {system} rw,lowerdir=/l,upperdir={layer},workdir=/w\n"
            )
        };
        let others = "245 244 0:90 / /proc rw,nosuid - proc proc rw\n";
        let has = |line: String| has_root(&format!("{others}{line}{others}"), "/var/a/diff");
        assert!(has(line("/", "/", "overlay", "/var/a/diff")));
        assert!(!has(line("/", "/", "overlay", "/var/b/diff")));
        assert!(!has(line("/", "/", "overlay", "/var/a/diff2")));
        assert!(!has(line("/jail", "/", "overlay", "/var/a/diff")));
        assert!(!has(line("/", "/jail", "overlay", "/var/a/diff")));
        assert!(!has(line("/", "/", "ext4", "/var/a/diff")));
        assert!(!has(String::new()));
    }

    #[test]
    fn root_needs_its_rights_on_files() {
        // Docker's default, the same without CAP_DAC_OVERRIDE, and all.
        assert!(may_all("Name:\tsh\nCapBnd:\t00000000a80425fb\n"));
        assert!(!may_all("Name:\tsh\nCapBnd:\t00000000a80425f9\n"));
        assert!(may_all("CapBnd:\t000001ffffffffff\n"));
        assert!(!may_all("CapEff:\t000001ffffffffff\n"));
    }
}
