//! The fixtures that all parts share: a container, hostlink's link to it, and directories for
//! files.

use std::path::{Path, PathBuf};
use std::process::Command;

use hostlink::{Context, Data, Link, builtin_registry};
use hostlink_tests::bench::Failure;
use hostlink_tests::container::{Container, DEBIAN};
use tempfile::TempDir;

use super::Sizes;

pub(crate) struct World {
    pub(crate) sizes: Sizes,
    pub(crate) link: Link,
    pub(crate) container: Container,
    /// In memory.
    dir: TempDir,
}

/// The place of files in the container. `docker cp` does not see a container's tmpfs, only mounts
/// from this machine.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// A volume in this machine's memory.
    Memory,
    /// The container's own file system.
    Disk,
}

impl World {
    pub(crate) async fn start(sizes: Sizes) -> Result<Self, Failure> {
        let dir = tempfile::tempdir_in("/dev/shm")?;
        let volume = dir.path().join("volume");
        std::fs::create_dir(&volume)?;
        let volume = format!("--volume={}:{}", volume.display(), Place::Memory.directory());
        let container = Container::start_with(DEBIAN, &[&volume]);
        let link = link(&container).await?;
        Ok(Self { sizes, link, container, dir })
    }

    /// A path of this machine, in memory.
    pub(crate) fn here(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// hostlink's link to a container.
pub(crate) async fn link(container: &Container) -> Result<Link, Failure> {
    let target = format!("@docker/{}", container.name());
    Ok(builtin_registry().connect(&target, &Data::new(), &Context::default()).await?)
}

impl Place {
    fn directory(self) -> &'static str {
        match self {
            Self::Memory => "/memory",
            Self::Disk => "/var/tmp",
        }
    }

    pub(crate) fn path(self, name: &str) -> String {
        format!("{}/{name}", self.directory())
    }

    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Memory => "volume in memory",
            Self::Disk => "container's disk",
        }
    }
}

/// `docker cp`.
pub(crate) fn docker_cp(from: &str, to: &str) -> Command {
    let mut command = Command::new("docker");
    // Since version 23 the command reports what it has copied.
    command.args(["cp", "--quiet", from, to]);
    command
}

/// A path in a container, for `docker cp`.
pub(crate) fn of(container: &Container, path: &str) -> String {
    format!("{}:{path}", container.name())
}

/// Removes a file in a container, and checks that it has arrived as it was sent.
pub(crate) fn take_file_in(container: &Container, path: &str, sent: &Path) -> Result<(), Failure> {
    let length = std::fs::metadata(sent)?.len();
    let arrived = container.shell(&format!("stat -c %s {path} && rm {path}"));
    same(&arrived, length, "bytes")
}

/// Removes a directory in a container, and checks that all its files have arrived.
pub(crate) fn take_tree_in(container: &Container, path: &str, files: usize) -> Result<(), Failure> {
    let arrived = container.shell(&format!("ls {path} | wc -l && rm -r {path}"));
    same(&arrived, files as u64, "files")
}

fn same(arrived: &str, sent: u64, what: &str) -> Result<(), Failure> {
    match arrived.trim().parse::<u64>() {
        Ok(arrived) if arrived == sent => Ok(()),
        _ => Err(format!("{} {what} arrived", arrived.trim()).into()),
    }
}
