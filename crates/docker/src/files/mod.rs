//! Files of a container whose engine runs on this machine, copied by this machine's kernel.
//!
//! A container's files are also this machine's: below `/proc/PID/root` (proc_pid_root(5)) all of
//! its mounts appear as its own processes see them. root of this machine can copy from file to file
//! there, which takes a fraction of the time of a stream through the engine. It is done only if the
//! result is the same as that of a command run as root in the container. If such a command could
//! not do it, or might do it differently, the file goes through a command. So does every failure
//! here, and the command's error is reported.
//!
//! # Why files take these routes
//!
//! Files go through core's scripts over the exec stream, as on every connector; the engine's
//! archive API is not used. As a stream, a GiB takes about as long as with `docker cp`, which uses
//! that API (1.0 to 1.3 times, `cargo xtask bench docker` before the change below). The API lacks
//! features: it does not replace a file atomically, does not see the container's tmpfs mounts, and
//! acts as root regardless of `docker_user` and `_sudo`.
//!
//! If the engine's socket is on this machine and this process is root, files between paths use
//! neither (`docker/src/files`): below `/proc/PID/root` the container's mounts appear as its own
//! processes see them, so the kernel copies from file to file. `openat2` with `RESOLVE_IN_ROOT`
//! keeps every symlink inside, and later steps are relative to the directory that it opened, so no
//! path is resolved twice. It is only an optimization: it declines (`Ok(None)`) if commands are not
//! fully root in the container, if the file is not regular or is a mount, and on any failure, so
//! that errors are those of the command. The kernel proves that the PID is the container's first
//! process, and that its root directory is that of commands: its cgroup names the container, the
//! overlay mounted at `/` has the upper layer that the engine reports, and its mount namespace is
//! not ours. The engine at a socket may be elsewhere, or in another PID namespace, and a first
//! process may have changed its root. `AtomicFile` is no use there: it works on paths, and would
//! follow a symlink of the container on this machine.
//!
//! A command costs the engine's own time: `bench docker` has a row for the bare calls. Two
//! concurrent execs take twice as long, so starting a spare one ahead would save nothing; only a
//! persistent shell would.

mod root;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bollard::models::ContainerInspectResponse;
use hostlink_core::transfer::{
    Cancelled, Copies, FileTransfer, GetOptions, Header, OpenSource, PutOptions, Route, Sink,
    SinkWriter, Transferred, copy_file,
};
use hostlink_core::{Error, Result};

use rustix::process::{Resource, getegid, geteuid, getrlimit};

use self::root::{Claim, Destination, Root};
use crate::container::{self, Container};

/// The bits that a command in a container removes from a new file's mode: the runtimes' default,
/// which no image changes (`umask` in the OCI runtime specification, POSIX process).
const UMASK: u32 = 0o022;

/// The runtimes whose containers' processes are this machine's.
const RUNTIMES: [&str; 5] = ["", "runc", "io.containerd.runc.v2", "crun", "oci"];

/// A container's files, as far as they are accessible without the engine.
#[derive(Debug)]
pub(crate) struct Files {
    container: Arc<Container>,
    copies: Copies,
}

impl Files {
    /// Returns the files of a container that this process may access; `None` if its engine is
    /// elsewhere, or if this process is not fully root.
    pub(crate) fn new(container: &Arc<Container>) -> Option<Self> {
        // With a group other than root's, new files would get that group.
        let is_root = geteuid().is_root() && getegid().is_root();
        // A limit on file sizes would kill this process with a signal.
        let is_limited = getrlimit(Resource::Fsize).current.is_some();
        let may = container.engine.is_here() && is_root && !is_limited;
        may.then(|| Self { container: container.clone(), copies: Copies::default() })
    }

    /// Returns the container's root directory; `None` if a copy might differ from a command's
    /// result.
    async fn root(&self) -> Option<Root> {
        let found = self.container.engine.container(&self.container.id).await.ok()?;
        let runs = container::is(&found, |state| state.running)
            && !container::is(&found, |state| state.paused);
        if !runs || !self.acts_as_root(&found) {
            return None;
        }
        let host = found.host_config?;
        let limits_files = host.ulimits.iter().flatten().any(|limit| {
            limit.name.as_deref().is_none_or(|name| name.eq_ignore_ascii_case("fsize"))
        });
        if limits_files || !RUNTIMES.contains(&host.runtime.as_deref().unwrap_or_default()) {
            return None;
        }
        let claim = Claim {
            pid: found.state?.pid?,
            id: self.container.id.clone(),
            layer: found.graph_driver?.data.remove("UpperDir")?,
            // Data in a tmpfs count as memory of the writing process.
            limits_memory: host.memory.is_some_and(|limit| limit > 0),
        };
        self.copies.run(move |_| Ok(Root::of(&claim))).await.ok()?
    }

    /// Returns whether commands in the container run as its root.
    fn acts_as_root(&self, found: &ContainerInspectResponse) -> bool {
        let own = found.config.as_ref().and_then(|config| config.user.as_deref());
        is_root(self.container.settings.given.user.as_deref().or(own).unwrap_or_default())
    }
}

/// Returns whether `USER[:GROUP]` is root, as engines parse it; empty is root.
fn is_root(user: &str) -> bool {
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    [user, group].iter().all(|name| ["", "0", "root"].contains(name))
}

#[async_trait]
impl FileTransfer for Files {
    async fn put(
        &self,
        source: &mut OpenSource,
        path: &str,
        options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        let (Some(from), false) = (source.path.clone(), options.places_temporary()) else {
            return Ok(None);
        };
        let Some(root) = self.root().await else { return Ok(None) };
        let put = Put {
            root,
            from,
            to: path.to_owned(),
            length: source.length,
            mode: options.mode.or(options.preserve.then_some(source.mode)),
            source_mode: source.mode & 0o777 & !UMASK,
            follow: options.follows(),
            modified: source.modified.filter(|_| options.preserve),
        };
        self.copies.run(move |cancelled| Ok(put.run(cancelled))).await
    }

    async fn get(
        &self,
        path: &str,
        sink: &mut Sink<'_>,
        options: &GetOptions,
    ) -> Result<Option<Transferred>> {
        if !sink.is_file().await {
            return Ok(None);
        }
        let Some(root) = self.root().await else { return Ok(None) };
        let from = path.to_owned();
        let opened = self.copies.run(move |_| Ok(root.read(&from).map(|file| (root, file))));
        let Some((root, from)) = opened.await? else { return Ok(None) };
        let failed = |error| Error::from_io(format!("cannot read {path}: {error}"), error);
        let found = from.metadata().map_err(failed)?;
        let header = Header { mode: found.mode() & 0o777, modified: found.mtime() };
        let writer = SinkWriter::new(sink, header).await?;
        let Some(to) = writer.file().and_then(|file| file.try_clone().ok()) else {
            return Ok(None);
        };
        let copied = self.copies.run(move |cancelled| {
            let go_on = || !cancelled.is_set() && root.is_alive();
            let copied = copy_file(&from, &to, None, go_on);
            Ok(copied.ok().filter(|_| root.is_alive()))
        });
        let Some(bytes) = copied.await? else { return Ok(None) };
        let in_place = writer.finish(options.preserve).await?;
        Ok(Some(Transferred { bytes, in_place, route: Route::Copy }))
    }

    async fn settle(&self) {
        self.copies.settle().await;
    }
}

/// One file to be put into a container.
struct Put {
    root: Root,
    from: PathBuf,
    to: String,
    /// The length of the file when it was opened.
    length: Option<u64>,
    mode: Option<u32>,
    /// The mode for a new file.
    source_mode: u32,
    follow: bool,
    modified: Option<SystemTime>,
}

impl Put {
    /// Returns `None` if the file cannot take this route, or if it fails: the destination is
    /// unchanged then.
    fn run(self, cancelled: &Cancelled) -> Option<Transferred> {
        let from = File::open(&self.from).ok()?;
        let place = Destination::find(&self.root, &self.to, self.follow)?;
        let existing = place.existing();
        let kept = existing.as_ref().map_or(self.source_mode, |found| found.mode);
        let temporary = place.temporary()?;
        let go_on = || !cancelled.is_set() && self.root.is_alive();
        let bytes = copy_file(&from, temporary.file(), self.length, go_on).ok()?;
        if self.length.is_some_and(|length| length != bytes) || !go_on() {
            return None;
        }
        temporary.commit(self.mode.unwrap_or(kept), existing.as_ref(), self.modified)?;
        Some(Transferred { bytes, in_place: false, route: Route::Copy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_its_name_and_number() {
        for user in ["", "root", "0", "0:0", "root:root", "root:0", ":0"] {
            assert!(is_root(user), "{user}");
        }
        for user in ["nobody", "1000", "0:1000", "root:adm", "00"] {
            assert!(!is_root(user), "{user}");
        }
    }
}
