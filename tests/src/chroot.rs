//! Root directories as targets of `@chroot`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use hostlink::Data;

use crate::container::{BUSYBOX, DEBIAN};
use crate::rootfs::Rootfs;

/// A user of these roots that this machine does not have.
const INSIDER: &str = "insider:x:4711:4711::/srv:/bin/sh\n";

/// A root directory for one test, which is removed when this value is dropped.
#[derive(Debug)]
pub struct Root(Rootfs);

impl Root {
    /// Makes a root with busybox for all commands.
    #[must_use]
    pub fn busybox() -> Self {
        Self::of(BUSYBOX)
    }

    /// Makes a root with the programs of a small Debian, and users for sudo.
    #[must_use]
    pub fn debian() -> Self {
        Self::of(DEBIAN)
    }

    /// # Panics
    ///
    /// If the root cannot be made.
    fn of(image: &str) -> Self {
        let root = Self(Rootfs::of(image));
        fs::create_dir_all(root.path("srv")).expect("the directory is ours");
        let passwd = fs::File::options().append(true).open(root.path("etc/passwd"));
        let written = passwd.and_then(|mut file| file.write_all(INSIDER.as_bytes()));
        written.expect("every image has users");
        root
    }

    /// Returns the root's path on this machine.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.0.path()
    }

    /// Returns the path on this machine of a file in the root. A symlink in the path leads outside.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.0.at(inside)
    }

    /// Returns the target's name.
    #[must_use]
    pub fn target(&self) -> String {
        target(&self.dir())
    }
}

/// Returns the name of the target whose root is this directory of this machine.
#[must_use]
pub fn target(root: &Path) -> String {
    format!("@chroot/{}", root.display())
}

/// Returns data that give commands their own mounts.
#[must_use]
pub fn with_mounts() -> Data {
    Data::new().with("chroot_mounts", true)
}
