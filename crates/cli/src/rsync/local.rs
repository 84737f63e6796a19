//! The local rsync, from its start to its end.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hostlink::connect::SECRET_VARIABLES;
use hostlink::{Error, ErrorKind, ExitStatus, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{PROGRAM, Rsync, relay};

/// How long rsync may take to clean up.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running rsync. Dropping this kills it.
#[derive(Debug)]
pub(super) struct Local(Child);

impl Local {
    /// Starts it, with this program instead of ssh.
    ///
    /// It stays in this process's group: a terminal's signals reach it as they reach any command.
    pub(super) fn start(rsync: &Rsync, socket: &Path) -> Result<Self> {
        let program = std::env::current_exe().map_err(|error| {
            Error::new(ErrorKind::Unsupported, "this program cannot find itself").with_source(error)
        })?;
        let mut command = Command::new(PROGRAM);
        let rsh = rsh([program.as_os_str(), OsStr::new(relay::WORD), socket.as_os_str()]);
        command.args(rsync.words(rsh)).stdin(Stdio::null()).kill_on_drop(true);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        let started = command.spawn();
        started.map(Self).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "cannot start the rsync of this machine")
                .with_source(error)
        })
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus> {
        let ended = self.0.wait().await.map_err(unwaitable)?;
        Ok(match ended.code() {
            Some(code) => ExitStatus::Code(code),
            None => ExitStatus::Signal(ended.signal().unwrap_or(0)),
        })
    }

    /// Lets it end by itself, now that the other side is gone.
    pub(super) async fn let_end(&mut self) {
        if timeout(PATIENCE, self.0.wait()).await.is_err() {
            self.end().await;
        }
    }

    /// Ends it. On SIGTERM it removes its temporary files and ends its own children; SIGKILL would
    /// prevent both.
    pub(super) async fn end(&mut self) {
        let id = self.0.id().and_then(|id| id.try_into().ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // It has not been waited for, so its ID is still valid.
            let _ = kill_process(id, Signal::TERM);
        }
        if timeout(PATIENCE, self.0.wait()).await.is_err() {
            let _ = self.0.kill().await;
        }
    }
}

fn unwaitable(error: io::Error) -> Error {
    Error::new(ErrorKind::Unsupported, "the rsync of this machine cannot be waited for")
        .with_source(error)
}

/// Returns the value of `--rsh`. rsync splits it at spaces outside of quotes, and reads a doubled
/// quote within quotes as a single one (rsync(1), `--rsh`).
fn rsh<const N: usize>(words: [&OsStr; N]) -> OsString {
    OsString::from_vec(words.map(|word| quoted(word.as_bytes())).join(&b' '))
}

fn quoted(word: &[u8]) -> Vec<u8> {
    let inner: Vec<&[u8]> = word.split(|byte| *byte == b'\'').collect();
    [b"'", &*inner.join(&b"''"[..]), b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_quotes_of_rsync() {
        let text = rsh(["/a b/it's".as_ref(), "x".as_ref()]);
        assert_eq!(text, "'/a b/it''s' 'x'");
    }
}
