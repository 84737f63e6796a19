//! A machine that has busybox and nothing else.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::dropbear::{Dropbear, flags};
use crate::keeper::{Keeper, run_tool};

/// A dropbear in a root directory of its own, with busybox for all commands; root logs in with a
/// key.
///
/// Mounts are seen by its processes only, so they go when those do.
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

    /// Lets root in with this key.
    ///
    /// # Panics
    ///
    /// If it cannot be written down.
    pub fn authorize(&self, public_key: &str) {
        let path = self.path("/root").join(".ssh/authorized_keys");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut it| it.write_all(format!("{public_key}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Where this machine sees a file of that one; proc(5), `/proc/PID/root`. A symbolic link on
    /// the way leads out.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/root/{}",
            self.dropbear.pid(),
            inside.trim_start_matches('/')
        ))
    }
}

/// Arguments: the directory, the host key, dropbear's flags. A tmpfs of our own allows devices and
/// programs wherever the test's directory is.
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

/// The absolute paths in what ldd(1) writes.
fn libraries(said: &str) -> Vec<&str> {
    let words = said.split_whitespace().filter(|word| word.starts_with('/'));
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_a_library_and_the_kernel_s_page_is_none() {
        let said = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibz.so.1 => /lib/x/libz.so.1 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x7f00)\n";
        assert_eq!(libraries(said), ["/lib/x/libz.so.1", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
