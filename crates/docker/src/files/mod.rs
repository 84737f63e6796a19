//! Files of a container whose engine runs on this machine, copied by this machine's kernel.
//!
//! A container's files are this machine's too: below `/proc/PID/root` (proc_pid_root(5)) all of its mounts are as its own
//! processes see them. Root of this machine can copy from file to file there, which takes a fraction of what a stream through the
//! engine takes. It is done only where the outcome is the same as that of a command in the container, as root of it: what that
//! may not do, or may do otherwise, goes the way of the command. So does whatever fails here, and it is that way's error that is
//! told.

mod root;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bollard::models::ContainerInspectResponse;
use hostlink_core::transfer::{
    Cancelled, FileTransfer, GetOptions, Header, OpenSource, PutOptions, Sink, SinkWriter,
    Transferred, cancellable, copy_file,
};
use hostlink_core::{Error, Result};

use self::root::{Place, Root};
use crate::container::{self, Container};

/// The bits that a command in a container takes from a new file: the runtimes' default, which no image changes
/// (`umask` in the OCI runtime specification, POSIX process).
const UMASK: u32 = 0o022;

/// Capabilities without which root of the container has not the rights of root of this machine on files.
const NEEDED: [&str; 5] = ["ALL", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"];

/// A container's files, as far as they can be had without the engine.
#[derive(Debug)]
pub(crate) struct Files(Arc<Container>);

impl Files {
    /// The files of a container that this process may reach; `None` if its engine is elsewhere, or this is not root.
    pub(crate) fn new(container: &Arc<Container>) -> Option<Self> {
        let may = container.engine.is_here() && rustix::process::geteuid().is_root();
        may.then(|| Self(container.clone()))
    }

    /// The container's root directory; `None` where it is not certain that a copy comes to the same as a command.
    async fn root(&self) -> Option<Root> {
        let found = self.0.engine.container(&self.0.id).await.ok()?;
        let runs = container::is(&found, |state| state.running)
            && !container::is(&found, |state| state.paused);
        if !runs || !self.acts_as_root(&found) {
            return None;
        }
        let pid = found.state?.pid?;
        let id = self.0.id.clone();
        cancellable(move |_| Ok(Root::of(pid, &id))).await.ok()?
    }

    /// Whether commands in the container may do with its files what root of this machine may.
    fn acts_as_root(&self, found: &ContainerInspectResponse) -> bool {
        let own = found.config.as_ref().and_then(|config| config.user.as_deref());
        let user = self.0.settings.user.as_deref().or(own).unwrap_or_default();
        let dropped = found.host_config.as_ref().and_then(|host| host.cap_drop.as_ref());
        is_root(user) && !dropped.is_some_and(|dropped| dropped.iter().any(|name| is_needed(name)))
    }
}

/// `USER[:GROUP]` as an engine takes it, where nothing is root.
fn is_root(user: &str) -> bool {
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    [user, group].iter().all(|name| ["", "0", "root"].contains(name))
}

fn is_needed(capability: &str) -> bool {
    let name = capability.to_ascii_uppercase();
    NEEDED.contains(&name.strip_prefix("CAP_").unwrap_or(&name))
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
        cancellable(move |cancelled| Ok(put.run(cancelled))).await
    }

    async fn get(
        &self,
        path: &str,
        sink: &mut Sink<'_>,
        options: &GetOptions,
    ) -> Result<Option<Transferred>> {
        let Sink::Path(_) = &*sink else { return Ok(None) };
        let Some(root) = self.root().await else { return Ok(None) };
        let from = path.to_owned();
        let opened = cancellable(move |_| Ok(root.read(&from).map(|file| (root, file)))).await?;
        let Some((root, from)) = opened else { return Ok(None) };
        let failed = |error| Error::from_io(format!("cannot read {path}: {error}"), error);
        let found = from.metadata().map_err(failed)?;
        let header = Header { mode: found.mode() & 0o777, modified: found.mtime() };
        let writer = SinkWriter::new(sink, header).await?;
        let Some(to) = writer.file().and_then(|file| file.try_clone().ok()) else {
            return Ok(None);
        };
        let copied = cancellable(move |cancelled| {
            let go_on = || !cancelled.is_set() && root.is_alive();
            let copied = copy_file(&from, &to, go_on);
            Ok(copied.ok().filter(|_| root.is_alive()))
        });
        let Some(bytes) = copied.await? else { return Ok(None) };
        let in_place = writer.finish(options.preserve).await?;
        Ok(Some(Transferred { bytes, in_place }))
    }
}

/// One file on its way into a container.
struct Put {
    root: Root,
    from: PathBuf,
    to: String,
    /// How long the file was found to be.
    length: Option<u64>,
    mode: Option<u32>,
    /// What a new file gets.
    source_mode: u32,
    follow: bool,
    modified: Option<SystemTime>,
}

impl Put {
    /// `None` if it is not one for this, or fails: the destination is then as it was.
    fn run(self, cancelled: &Cancelled) -> Option<Transferred> {
        let from = File::open(&self.from).ok()?;
        let place = Place::find(&self.root, &self.to, self.follow)?;
        let existing = place.existing();
        let kept = existing.as_ref().map_or(self.source_mode, |found| found.mode);
        let temporary = place.temporary()?;
        let go_on = || !cancelled.is_set() && self.root.is_alive();
        let bytes = copy_file(&from, temporary.file(), go_on).ok()?;
        if self.length.is_some_and(|length| length != bytes) || !self.root.is_alive() {
            return None;
        }
        temporary.commit(self.mode.unwrap_or(kept), existing.as_ref(), self.modified)?;
        Some(Transferred { bytes, in_place: false })
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

    #[test]
    fn capabilities_are_named_with_and_without_their_prefix() {
        for name in ["ALL", "CAP_CHOWN", "chown", "CAP_DAC_OVERRIDE"] {
            assert!(is_needed(name), "{name}");
        }
        assert!(!is_needed("CAP_MKNOD"));
    }
}
