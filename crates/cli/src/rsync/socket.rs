//! The socket for relays, in a directory that only this user may enter.

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
pub(super) struct RelaySocket {
    listener: UnixListener,
    /// Its path.
    pub(super) path: PathBuf,
    used: AtomicBool,
    _directory: TempDir,
}

/// A socket's path has at most 103 bytes on some systems (unix(7): 107 on Linux).
const MAX_PATH: usize = 100;

impl RelaySocket {
    /// Makes the directory and the socket in it. Dropping this removes both.
    pub(super) fn open() -> Result<Self> {
        Self::bind().map_err(|error| {
            let message = "cannot make a private directory with a socket";
            Error::new(ErrorKind::Unsupported, message).with_source(error)
        })
    }

    fn bind() -> io::Result<Self> {
        let mut directory = private(&std::env::temp_dir())?;
        if directory.path().as_os_str().len() + 2 > MAX_PATH {
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

    /// Returns whether a relay has connected.
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
        let socket = RelaySocket::open().unwrap();
        let directory = socket.path.parent().unwrap().to_owned();
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!socket.is_used());
        drop(socket);
        assert!(!directory.exists());
    }
}
