//! A machine that has only busybox.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::dropbear::{Dropbear, flags};
use crate::keeper::{Keeper, run_tool};

/// A dropbear in its own root directory, with busybox for all commands. root logs in with a key.
///
/// Its mounts are visible only to its processes, so they end with these.
#[derive(Debug)]
pub struct BusyboxOnly {
    dropbear: Dropbear,
}

impl BusyboxOnly {
    /// Makes the directory in memory, and starts the server.
    ///
    /// # Panics
    ///
    /// If a program of busybox or dropbear is missing, or this process may not mount.
    #[must_use]
    pub fn start() -> Self {
        let keeper = Keeper::start();
        let dir = keeper.dir().display().to_string();
        fs::create_dir(keeper.dir().join("root")).expect("the directory is ours");
        let script = keeper.write("boot", 0o700, &boot_script());
        let script = script.display();
        let command = |port| {
            let flags = flags("/etc/dropbear", port);
            format!("exec unshare --mount sh {script} {dir}/root {dir}/host_key {flags}")
        };
        Self { dropbear: Dropbear::serve(keeper, command) }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Dropbear {
        &self.dropbear
    }

    /// Allows root to log in with this key.
    ///
    /// # Panics
    ///
    /// If the key cannot be written.
    pub fn authorize(&self, public_key: &str) {
        let path = self.path("/root").join(".ssh/authorized_keys");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut it| it.write_all(format!("{public_key}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Returns the path on this machine of a file of that one; proc(5), `/proc/PID/root`. A symlink
    /// in the path leads outside.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/root/{}",
            self.dropbear.pid(),
            inside.trim_start_matches('/')
        ))
    }
}

/// Takes the directory, the host key, and dropbear's flags as arguments. Devices and programs need
/// a tmpfs, as the test's directory may be mounted without them.
fn boot_script() -> String {
    let dropbear = "/usr/sbin/dropbear";
    let libraries = libraries(&run_tool("ldd", &[dropbear])).join(" ");
    format!(
        r#"set -e
root=$1 key=$2; shift 2
mount -t tmpfs -o mode=755,exec,dev,suid tmpfs "$root"
cd "$root"
mkdir -p bin dev/pts etc/dropbear proc sbin tmp
mkdir -p -m 700 root/.ssh
chmod 700 root
chmod 1777 tmp
cp "$key" etc/dropbear/host_key
cp "$(command -v busybox)" bin/busybox
for file in {dropbear} {libraries}; do
    mkdir -p ".${{file%/*}}"
    cp -L "$file" ".$file"
done
chroot . /bin/busybox --install -s /bin
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t proc proc proc
exec chroot . {dropbear} "$@"
"#
    )
}

/// Returns the absolute paths in the output of ldd(1).
fn libraries(said: &str) -> Vec<&str> {
    let words = said.split_whitespace().filter(|word| word.starts_with('/'));
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_a_library_and_the_kernel_s_page_is_not() {
        let said = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibz.so.1 => /lib/x/libz.so.1 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x7f00)\n";
        assert_eq!(libraries(said), ["/lib/x/libz.so.1", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
