//! The socket that relays come to, in a directory that only this user may enter.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use hostlink::{Error, ErrorKind, Result};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

use super::channel::{self, Request};

/// The socket.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    /// Where it is.
    pub(super) path: PathBuf,
    used: AtomicBool,
    _directory: TempDir,
}

/// A socket's path has at most 103 bytes on some systems (unix(7): 107 on Linux).
const LONGEST_PATH: usize = 100;

impl Door {
    /// Makes the directory and the socket in it. They are removed when this is dropped.
    pub(super) fn open() -> Result<Self> {
        Self::bind().map_err(|error| {
            let message = "cannot make a private directory with a socket";
            Error::new(ErrorKind::Unsupported, message).with_source(error)
        })
    }

    fn bind() -> io::Result<Self> {
        let mut directory = private(&std::env::temp_dir())?;
        if directory.path().as_os_str().len() + 2 > LONGEST_PATH {
            directory = private(Path::new("/tmp"))?;
        }
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path)?;
        Ok(Self { listener, path, used: false.into(), _directory: directory })
    }

    /// Waits for a relay of this user.
    pub(super) async fn wait(&self) -> io::Result<(UnixStream, Request)> {
        loop {
            let (mut relay, _) = self.listener.accept().await?;
            if relay.peer_cred()?.uid() == rustix::process::geteuid().as_raw() {
                self.used.store(true, Ordering::Relaxed);
                let request = channel::receive(&mut relay).await?;
                return Ok((relay, request));
            }
        }
    }

    /// Whether a relay has come.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

fn private(parent: &Path) -> io::Result<TempDir> {
    let mode = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("hl-").permissions(mode).tempdir_in(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_door_is_private_and_goes_away() {
        let door = Door::open().unwrap();
        let directory = door.path.parent().unwrap().to_owned();
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!door.is_used());
        drop(door);
        assert!(!directory.exists());
    }
}
