//! A master that a user has started with plain ssh.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use hostlink::Data;

use crate::cli::{run, wait_until};
use crate::keys::Key;
use crate::ssh_client::SshClient;
use crate::sshd::Sshd;

/// An `ssh -M -N`, which ends when this value is dropped.
#[derive(Debug)]
pub struct UsersMaster {
    client: SshClient,
    child: Child,
    socket: PathBuf,
}

impl UsersMaster {
    /// Logs in as root, and listens at `socket`.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    pub fn start(sshd: &Sshd, key: &Key, socket: &Path) -> Self {
        let client = SshClient::new().knows(&sshd.known_hosts()).key(key);
        let mut command = client.command("ssh");
        command.args(["-M", "-N", "-S"]).arg(socket).args(["-p", &sshd.port().to_string()]);
        let command = command.args(["--", "root@127.0.0.1"]).stdout(Stdio::null());
        let child = command.spawn().expect("ssh is installed");
        wait_until("the user's master listens", || socket.exists());
        Self { client, child, socket: socket.to_owned() }
    }

    /// Returns the data that reach the host through it.
    #[must_use]
    pub fn data(&self) -> Data {
        Data::new().with("ssh_control_path", self.socket.display().to_string())
    }

    /// Returns whether `ssh -S SOCKET -O ORDER` succeeds.
    #[must_use]
    pub fn answers(&self, order: &str) -> bool {
        let mut command = self.client.command("ssh");
        command.arg("-S").arg(&self.socket).args(["-O", order, "--", "root@127.0.0.1"]);
        run(command).status.success()
    }

    /// Returns whether its process runs.
    ///
    /// # Panics
    ///
    /// Never: it is our child.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for UsersMaster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
