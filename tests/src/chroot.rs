//! Root directories for `@chroot`.

use std::fs;
use std::path::{Path, PathBuf};

use hostlink::Data;

use crate::keeper::{Keeper, run_tool};

/// What the suite asks of a target, and a bit more.
const PROGRAMS: &str = "\
    bash dash basename cat chgrp chmod chown cksum cmp cp cut date dd df dirname du env expr false find getconf grep gzip head id \
    kill ln ls md5sum mkdir mkfifo mknod mktemp mount mv nohup od paste pgrep pkill printenv printf ps pwd readlink realpath rm \
    rmdir sed seq setsid sha256sum sleep sort stat stty sync tail tar tee test timeout touch tr true truncate tty umount \
    uname uniq wc whoami xargs yes";

/// A root directory of a test's own, which ends with this value.
#[derive(Debug)]
pub struct Root {
    keeper: Keeper,
}

impl Root {
    /// One with busybox for all commands. It has no place for mounts, and so no /proc.
    #[must_use]
    pub fn busybox() -> Self {
        Self::make(
            r#"cp "$(command -v busybox)" bin/busybox
chroot . /bin/busybox --install -s /bin"#,
        )
    }

    /// One with programs of this machine, `dash` being its `sh`, and places for mounts.
    #[must_use]
    pub fn debian() -> Self {
        Self::make(&format!(
            r#"PATH=$PATH:/usr/sbin
for name in {PROGRAMS}; do which "$name"; done >../programs
xargs cp -L -t bin <../programs
ldd $(cat ../programs) | grep -o '/[^ ]*\.so[^ ]*' | sort -u | xargs cp -L --parents -t .
ln -s dash bin/sh
mkdir proc sys
touch etc/resolv.conf"#
        ))
    }

    /// # Panics
    ///
    /// If it cannot be made.
    fn make(script: &str) -> Self {
        let keeper = Keeper::start();
        let root = keeper.dir().join("root");
        fs::create_dir(&root).expect("the directory is ours");
        let script = format!("set -e; cd {}\n{COMMON}{script}\n", root.display());
        run_tool("sh", &["-c", &script]);
        Self { keeper }
    }

    /// Where it is on this machine.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.keeper.dir().join("root")
    }

    /// Where this machine sees a file of it. A symbolic link on the way leads out.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir().join(inside.trim_start_matches('/'))
    }

    /// The target's name.
    #[must_use]
    pub fn target(&self) -> String {
        target(&self.dir())
    }
}

/// The name of the target whose root is this directory of this machine.
#[must_use]
pub fn target(root: &Path) -> String {
    format!("@chroot/{}", root.display())
}

/// Data that give commands mounts of their own.
#[must_use]
pub fn with_mounts() -> Data {
    Data::new().with("chroot_mounts", true)
}

/// One user is there whom this machine does not have.
const COMMON: &str = "\
mkdir -p bin dev etc root srv tmp
chmod 1777 tmp
chmod 700 root
printf 'root:x:0:0:root:/root:/bin/sh\\ninsider:x:4711:4711::/srv:/bin/sh\\n' >etc/passwd
printf 'root:x:0:\\ninsider:x:4711:\\n' >etc/group
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
";
