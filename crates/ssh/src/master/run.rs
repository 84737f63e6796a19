//! The private directory of all masters of a connector, and the watcher that ends them when this
//! process is gone.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hostlink_core::{Context, Error, ErrorKind, Result, SECRET_VARIABLES, random_hex};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};

use super::base;

/// A function of `sh` that sets `s` to a process's start time, or to nothing without such a process
/// or without /proc.
///
/// The command's name comes before it, in brackets, and may contain spaces and brackets
/// (proc_pid_stat(5)).
macro_rules! since {
    () => {
        r#"since() {
  s=
  { read -r s <"/proc/$1/stat"; } 2>/dev/null
  set -- ${s##*) }
  s=${20}
}
"#
    };
}
pub(super) use since;

/// Waits for our end, then kills every registered process group, and removes the directory.
///
/// A number may be another process's by now, with a later start time. The rename comes first: a
/// process that has not registered by then fails to, and ends.
const WATCHER: &str = concat!(
    since!(),
    r#"cd / || exit
trap '' HUP INT TERM QUIT
while read -r _; do :; done
[ -d "$1" ] || exit 0
mv "$1/m" "$1/e"
for f in "$1"/[em]/*/pid.*; do
  read -r p began <"$f" && [ "$p" -gt 1 ] || continue
  since "$p"
  [ -z "$s" ] || [ "$s" = "$began" ] && kill -KILL "-$p"
done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }"#
);

/// How long dropping waits for the watcher, which has nothing left to do.
const DROP_LIMIT: Duration = Duration::from_millis(200);

/// The directory and the watcher of all masters of a connector. Clones share them.
///
/// When the last clone and the last master are gone, or this process is gone, even killed, the
/// watcher leaves neither process nor directory.
#[derive(Clone, Debug)]
pub(crate) struct Run(Arc<Inner>);

/// A weak reference to a [`Run`].
#[derive(Clone, Debug, Default)]
pub(crate) struct WeakRun(Weak<Inner>);

impl WeakRun {
    /// Returns the run, if it still exists.
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
    /// Makes the directory and starts the watcher. Needs a tokio runtime.
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
    /// The file system refuses it.
    pub(crate) fn make_master_directory(&self) -> Result<MasterDirectory> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let path = self.0.path.join("m").join(number.to_string());
        private_directory(&path).map_err(|error| cannot_make(&path, error))?;
        Ok(MasterDirectory { path, run: self.clone() })
    }

    /// Returns a weak reference.
    pub(crate) fn downgrade(&self) -> WeakRun {
        WeakRun(Arc::downgrade(&self.0))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Every master has removed its own directory by now. If this fails, the watcher tries
        // again.
        let _left = std::fs::remove_dir_all(&self.path);
        drop(self.watcher.stdin().take());
        let start = Instant::now();
        while matches!(self.watcher.try_wait(), Ok(None)) && start.elapsed() < DROP_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The directory of a master: socket `s`, configuration, askpass script and FIFOs. Dropping it
/// removes the directory.
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

    /// Removes it. It may be called twice.
    pub(crate) fn remove(&self) {
        for _ in 0..10 {
            match std::fs::remove_dir_all(&self.path) {
                // A process that is being killed may have made a file meanwhile.
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

/// Makes the directory in the first base that allows it, and starts its watcher.
fn make(context: &Context) -> Result<Inner> {
    let mut first = None;
    for base in base::candidates(context) {
        let path = base.join(format!("hl-{}", &random_hex()?[..10]));
        match make_watched(&path) {
            Ok(watcher) => return Ok(Inner { path, watcher, next: AtomicU64::new(0) }),
            Err(error) => {
                first.get_or_insert(cannot_make(&path, error));
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        let message =
            "no directory for ssh's control sockets: the temporary one has too long a path";
        Error::new(ErrorKind::Connect, message)
    }))
}

/// The watcher starts before the directory is made, so that a kill at any moment leaves nothing.
fn make_watched(path: &Path) -> io::Result<Box<dyn ChildWrapper>> {
    let mut watcher = start_watcher(path)?;
    let made = private_directory(path).and_then(|()| private_directory(&path.join("m")));
    if let Err(error) = made {
        // An existing directory is not ours: the watcher must not remove it.
        watcher.start_kill()?;
        return Err(error);
    }
    Ok(watcher)
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
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("setsid").args(["sleep", "600"]).spawn().unwrap()
    }

    fn began(child: &Child) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(19).unwrap().to_owned()
    }

    fn is_a_leader(child: &Child) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(2) == Some(&child.id().to_string())
    }

    #[tokio::test]
    async fn the_watcher_kills_what_registered_and_no_later_process_of_its_number() {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let path = directory.path().join("hl");
        let mut watcher = start_watcher(&path).unwrap();
        let (mut ours, mut stranger) = (sleeper(), sleeper());
        while !is_a_leader(&ours) || !is_a_leader(&stranger) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::create_dir_all(path.join("m/0")).unwrap();
        let file = |name: &str| path.join("m/0").join(name);
        std::fs::write(file("pid.ssh"), format!("{} {}\n", ours.id(), began(&ours))).unwrap();
        std::fs::write(file("pid.jump0"), format!("{} 1\n", stranger.id())).unwrap();
        drop(watcher.stdin().take());
        watcher.wait().await.unwrap();
        let left = stranger.try_wait().unwrap();
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert_eq!(left, None);
        assert!(!ours.wait().unwrap().success());
        assert!(!path.exists());
    }
}
