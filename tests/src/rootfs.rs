//! Root directories for `chroot`, one for each test.
//!
//! `cargo xtask test --provision` unpacks each image once. A test gets an overlay on top of it,
//! whose changes are in memory, so it costs a mount and no copy.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::cli::{self, run};
use crate::container::succeed;
use crate::keeper::Keeper;

/// The unpacked images, by name; they are never written to.
const UNPACKED: &str = "/var/lib/hostlink-tests/roots";

/// A root directory. It and its mount are removed when this value is dropped or the test's process
/// ends.
///
/// It has the devices of a small machine, and neither /proc nor /sys. It knows this machine's name,
/// which sudo looks up: a lost answer of a name server would cost 5 s (resolv.conf(5), `timeout`).
#[derive(Debug)]
pub struct Rootfs {
    keeper: Keeper,
}

impl Rootfs {
    /// Makes a root with the content of this image, such as [`BUSYBOX`](crate::container::BUSYBOX).
    ///
    /// # Panics
    ///
    /// If the image was not unpacked, or if this process may not mount.
    #[must_use]
    pub fn of(image: &str) -> Self {
        let lower = Path::new(UNPACKED).join(image);
        assert!(lower.exists(), "no {}: `cargo xtask test --provision`", lower.display());
        let mut keeper = Keeper::start();
        let dir = keeper.dir().display().to_string();
        let made = keeper.make(&mount_script(&dir, &lower), &unmount_script(&dir));
        assert!(made, "mount: {}", keeper.log());
        Self { keeper }
    }

    /// Returns the directory itself, which every user may enter.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.keeper.dir().join("root")
    }

    /// Returns the path on this machine of a file in the root. A symlink in the path leads outside.
    #[must_use]
    pub fn at(&self, inside: &str) -> PathBuf {
        self.path().join(inside.trim_start_matches('/'))
    }

    /// Makes a symlink in the root, such as one from `/etc/x` to the machine's `/etc/passwd`.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn plant_link(&self, inside: &str, target: impl AsRef<Path>) {
        symlink(target, self.at(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"));
    }

    /// Makes a file outside of the root, with this text, and links in the root that lead to it: a
    /// write through any of them would change it.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn trap(&self, text: &str) -> Trap {
        let outside = self.keeper.dir().join("outside");
        fs::create_dir(&outside).expect("the directory is ours, and a root has one trap");
        let file = outside.join("file");
        fs::write(&file, text).expect("the directory is ours");
        let up = "../".repeat(self.path().components().count() + 2);
        self.plant_link("/etc/x", &file);
        self.plant_link(
            "/etc/x-up",
            format!("{up}{}", file.display().to_string().trim_start_matches('/')),
        );
        self.plant_link("/srv-link", &outside);
        Trap { outside, text: text.to_owned() }
    }

    /// Runs a script of `sh` inside as root, and returns its output.
    ///
    /// # Panics
    ///
    /// If it fails.
    #[must_use]
    pub fn shell(&self, script: &str) -> String {
        succeed(self.command(script), b"")
    }

    /// Returns whether a script of `sh` succeeds inside, as root.
    #[must_use]
    pub fn succeeds(&self, script: &str) -> bool {
        run(self.command(script)).status.success()
    }

    fn command(&self, script: &str) -> std::process::Command {
        let mut command = cli::command(Path::new("chroot"), [self.path()]);
        command.args(["/bin/sh", "-c", script]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }
}

/// A file that must stay unchanged. In the root, `/etc/x` and `/etc/x-up` are links to it, and
/// `/srv-link` is a link to its directory.
#[derive(Debug)]
pub struct Trap {
    outside: PathBuf,
    text: String,
}

impl Trap {
    /// Returns the file outside.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.outside.join("file")
    }

    /// Returns whether the file is unchanged, and alone in its directory.
    ///
    /// # Panics
    ///
    /// If the directory cannot be read.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let entries = fs::read_dir(&self.outside).expect("it is there as long as the root");
        let metadata = fs::symlink_metadata(self.file());
        entries.count() == 1
            && metadata.is_ok_and(|it| it.is_file())
            && fs::read_to_string(self.file()).is_ok_and(|it| it == self.text)
    }
}

/// The upper directory is on a tmpfs, which every overlay accepts, and on which devices work.
fn mount_script(dir: &str, lower: &Path) -> String {
    let lower = lower.display();
    format!(
        r#"set -e
cd '{dir}'
mkdir memory root
mount -t tmpfs -o mode=755,exec,dev,suid tmpfs memory
mkdir memory/upper memory/work
mount -t overlay -o 'lowerdir={lower},upperdir=memory/upper,workdir=memory/work' overlay root
cd root
mkdir -p dev proc sys
node() {{ [ -e "dev/$1" ] || mknod -m 666 "dev/$1" c "$2" "$3"; }}
node null 1 3; node zero 1 5; node full 1 7; node random 1 8; node urandom 1 9; node tty 5 0
[ -e etc/hosts ] || printf '127.0.0.1 localhost %s\n' "$(uname -n)" >etc/hosts
"#
    )
}

/// Unmounts lazily: a process of the test may still be in there. The mount goes with its last one.
fn unmount_script(dir: &str) -> String {
    format!(
        r#"for it in root memory; do
    if mountpoint -q '{dir}'/$it; then umount --lazy '{dir}'/$it; fi
done
"#
    )
}
