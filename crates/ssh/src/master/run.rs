//! The private directory of all masters of one connector, and the watcher that ends them when we are gone.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hostlink_core::{Context, Error, ErrorKind, Result, SECRET_VARIABLES};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};

/// Waits for our end, then ends every group that registered itself, and removes the directory.
///
/// The rename comes first: what has not registered by then fails to, and ends itself.
const WATCHER: &str = r#"cd / || exit
trap '' HUP INT TERM QUIT
while read -r _; do :; done
[ -d "$1" ] || exit 0
mv "$1/m" "$1/e"
for f in "$1"/[em]/*/pid.*; do
  read -r p <"$f" && [ "$p" -gt 1 ] && kill -KILL "-$p"
done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }"#;

/// As long as the base may be. The socket's path may have 103 bytes (`sun_path` of macOS), of which ssh uses 17 for a
/// suffix while it binds, and we `/hl-12345678/m/123456/s`.
const LONGEST_BASE: usize = 60;

/// How long dropping waits for the watcher, which has nothing left to do then.
const DROP_LIMIT: Duration = Duration::from_millis(200);

/// The directory and the watcher of all masters of one connector. Clones share them.
///
/// When the last clone and the last master are gone, or this process is, however it ended, the watcher leaves neither
/// process nor directory.
#[derive(Clone, Debug)]
pub(crate) struct Run(Arc<Inner>);

/// A [`Run`] that does not keep it there.
#[derive(Clone, Debug, Default)]
pub(crate) struct WeakRun(Weak<Inner>);

impl WeakRun {
    /// The run, if it is still there.
    pub(crate) fn upgrade(&self) -> Option<Run> {
        self.0.upgrade().map(Run)
    }
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    watcher: Box<dyn ChildWrapper>,
    next: AtomicU64,
}

impl Run {
    /// Makes the directory and starts the watcher. It must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// No directory can be made whose path is short enough for a socket, or `sh` cannot be started.
    pub(crate) fn new(context: &Context) -> Result<Self> {
        make(context).map(|inner| Self(Arc::new(inner)))
    }

    /// Makes the directory of one master.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub(crate) fn make_master_directory(&self) -> Result<MasterDirectory> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let path = self.0.path.join("m").join(number.to_string());
        private_directory(&path).map_err(|error| cannot_make(&path, error))?;
        Ok(MasterDirectory { path, run: self.clone() })
    }

    /// Itself, without keeping it there.
    pub(crate) fn downgrade(&self) -> WeakRun {
        WeakRun(Arc::downgrade(&self.0))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Every master has removed its own by now. What cannot be removed is left to the watcher, which tries again.
        let _left = std::fs::remove_dir_all(&self.path);
        drop(self.watcher.stdin().take());
        let start = Instant::now();
        while matches!(self.watcher.try_wait(), Ok(None)) && start.elapsed() < DROP_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The directory of one master: socket `s`, config, askpass script and FIFOs. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct MasterDirectory {
    path: PathBuf,
    #[expect(dead_code, reason = "keeps the watcher alive")]
    run: Run,
}

impl MasterDirectory {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it now. Doing so again is harmless.
    pub(crate) fn remove(&self) {
        for _ in 0..10 {
            match std::fs::remove_dir_all(&self.path) {
                // A process that is being killed may have made another file meanwhile.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                _ => return,
            }
        }
    }
}

impl Drop for MasterDirectory {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes the directory where its path is short enough, and starts its watcher.
fn make(context: &Context) -> Result<Inner> {
    let given = context.runtime_directory.clone().unwrap_or_else(std::env::temp_dir);
    let mut first = None;
    for base in [given.clone(), PathBuf::from("/tmp")] {
        if !is_usable(&base) {
            continue;
        }
        let path = base.join(random_name()?);
        match make_watched(&path) {
            Ok(watcher) => return Ok(Inner { path, watcher, next: AtomicU64::new(0) }),
            Err(error) => {
                first.get_or_insert(cannot_make(&path, error));
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        let given = given.display();
        let message = format!("no directory for ssh's control sockets: {given} is too long a path");
        Error::new(ErrorKind::Connect, message)
    }))
}

/// The watcher is there before the directory is, so that no moment to be killed at leaves the directory.
fn make_watched(path: &Path) -> io::Result<Box<dyn ChildWrapper>> {
    let mut watcher = start_watcher(path)?;
    let made = private_directory(path).and_then(|()| private_directory(&path.join("m")));
    if let Err(error) = made {
        // What is there is not ours: the watcher must not remove it.
        watcher.start_kill()?;
        return Err(error);
    }
    Ok(watcher)
}

fn random_name() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Connect, "the system has no randomness").with_source(error)
    })?;
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let letter = |byte: &u8| char::from(letters[usize::from(byte % 32)]);
    Ok(format!("hl-{}", bytes.iter().map(letter).collect::<String>()))
}

/// Whether sockets fit below it, and nothing in it means something to ssh_config(5).
fn is_usable(base: &Path) -> bool {
    let bytes = base.as_os_str().as_bytes();
    let is_harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    base.is_absolute() && bytes.len() <= LONGEST_BASE && bytes.iter().all(is_harmless)
}

fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn cannot_make(path: &Path, error: io::Error) -> Error {
    let message = format!("cannot make the directory {}: {error}", path.display());
    Error::new(ErrorKind::Connect, message).with_source(error)
}

fn start_watcher(directory: &Path) -> io::Result<Box<dyn ChildWrapper>> {
    let mut command = CommandWrap::with_new("sh", |command| {
        command.arg("-c").arg(WATCHER).arg("sh").arg(directory);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
    });
    Ok(command.wrap(ProcessSession).spawn()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_short_absolute_and_harmless() {
        for (base, usable) in [
            ("/tmp", true),
            ("/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/", true),
            ("tmp", false),
            ("/tmp/with space", false),
            ("/tmp/%h", false),
        ] {
            assert_eq!(is_usable(Path::new(base)), usable, "{base}");
        }
        assert!(!is_usable(Path::new(&format!("/{}", "x".repeat(90)))));
    }
}
