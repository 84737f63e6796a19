//! The fixtures that all parts share: the server, hostlink's link to it, and a login of OpenSSH.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use hostlink::{Context, Link, Value, builtin_registry};
use hostlink_tests::bench::{Failure, time};
use hostlink_tests::cli;
use hostlink_tests::ssh_client::SshClient;
use hostlink_tests::ssh_host::SshHost;
use hostlink_tests::sshd::Sshd;
use tempfile::TempDir;

use super::Sizes;

/// The server's name for all peers.
pub(crate) const HOST: &str = "127.0.0.1";

pub(crate) struct World {
    pub(crate) sizes: Sizes,
    /// hostlink's link.
    pub(crate) link: Link,
    /// OpenSSH's programs through the open login.
    pub(crate) over_master: SshClient,
    /// OpenSSH's programs, each with a new login.
    pub(crate) alone: SshClient,
    pub(crate) host: SshHost,
    /// In memory.
    dir: TempDir,
    master: Master,
}

impl World {
    pub(crate) async fn start(sizes: Sizes) -> Result<Self, Failure> {
        let dir = tempfile::tempdir_in("/dev/shm")?;
        // All addresses 127.0.1.x are this server too, and may log in at the same time.
        let sshd = Sshd::builder().listen("0.0.0.0").max_startups("400:30:500").start();
        // The shell reads no start-up file, which would cost more than all that is measured.
        let host = SshHost::with_shell_on(sshd, "/bin/sh");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
        let files = dir.path().join("files");
        fs::create_dir(&files)?;
        give(&host, &files)?;
        let socket = dir.path().join("master");
        let client = || -> Result<SshClient, Failure> {
            let known_hosts = text(&host, "ssh_known_hosts_file")?;
            Ok(SshClient::new()
                .knows(Path::new(&known_hosts))
                .set("IdentityFile", text(&host, "ssh_key")?)
                .set("User", text(&host, "ssh_user")?)
                .set("Port", text(&host, "ssh_port")?))
        };
        let over_master = client()?.set("ControlPath", socket.display());
        let alone = client()?.set("ControlPath", "none");
        let master = Master::start(&over_master, &socket)?;
        let link =
            builtin_registry().connect(&host.target, &host.data(), &Context::default()).await?;
        Ok(Self { sizes, link, over_master, alone, host, dir, master })
    }

    /// Returns a path in memory that the host's user may write.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    /// Returns a path in memory that only root may write.
    pub(crate) fn own_path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns `ssh` over the open login, for a shell: what follows it is run there.
    pub(crate) fn ssh_line(&self) -> Result<String, Failure> {
        let command = self.over_master.command("ssh");
        let words = command.get_args().map(|word| word.to_str().ok_or("a path that is not UTF-8"));
        let words: Vec<&str> = words.collect::<Result<_, _>>()?;
        Ok(format!("ssh {}", words.join(" ")))
    }

    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.link.disconnect().await?;
        drop(self.master);
        Ok(())
    }
}

/// Changes the owner of a directory to the host's user.
pub(crate) fn give(host: &SshHost, directory: &Path) -> Result<(), Failure> {
    time(Command::new("chown").arg(text(host, "ssh_user")?).arg(directory)).map(drop)
}

/// Returns a value of the host's data, as ssh takes it.
fn text(host: &SshHost, key: &str) -> Result<String, Failure> {
    match host.data().get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(value.to_string()),
        None => Err(format!("the host has no {key}").into()),
    }
}

/// The process that holds the peers' login.
struct Master(Child);

impl Master {
    fn start(client: &SshClient, socket: &Path) -> Result<Self, Failure> {
        let mut command = client.command("ssh");
        let master = Self(command.args(["-M", "-N", "-T", HOST]).spawn()?);
        cli::wait_until("ssh's master is there", || socket.exists());
        Ok(master)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
