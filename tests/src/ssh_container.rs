//! A container that is reached by SSH, with keys for one test.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hostlink::Data;
use tempfile::TempDir;

use crate::cli;
use crate::container::{Container, DEBIAN, succeed};
use crate::engine::Engine;
use crate::ssh_host::login_data;

const PORT: u16 = 22;

/// Settings of `sshd_config(5)`, where the first value of a keyword applies.
const SETTINGS: &str = "
HostKey /etc/ssh/hostlink_host_key
AuthorizedKeysFile /etc/ssh/hostlink_authorized_keys
PermitRootLogin yes
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
AcceptEnv LANG LC_*
MaxStartups 100
LogLevel VERBOSE
KexAlgorithms curve25519-sha256
Subsystem sftp /usr/lib/openssh/sftp-server
";

/// An sshd in a container of [`DEBIAN`], with its own host key. Dropping it removes the container.
///
/// The key at [`identity()`](Self::identity) logs in as root and as each user of the image.
#[derive(Debug)]
pub struct SshContainer {
    container: Container,
    address: IpAddr,
    files: TempDir,
}

impl SshContainer {
    /// Starts the container and sshd, and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// If one of them does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("", &[])
    }

    /// Starts a container like [`start()`](Self::start), with lines of `sshd_config(5)` before the
    /// usual ones, and more options of `docker run`.
    ///
    /// # Panics
    ///
    /// If one of them does not start.
    #[must_use]
    pub fn start_with(settings: &str, options: &[&str]) -> Self {
        Self::start_on(Engine::Docker, settings, options)
    }

    /// Starts a container like [`start()`](Self::start), with sshd's port published on this
    /// machine.
    ///
    /// # Panics
    ///
    /// If one of them does not start.
    #[must_use]
    pub fn start_published(engine: Engine) -> Self {
        Self::start_on(engine, "", &["--publish=127.0.0.1::22"])
    }

    /// Starts a container like [`start_with()`](Self::start_with), on this engine.
    ///
    /// # Panics
    ///
    /// If one of them does not start.
    #[must_use]
    pub fn start_on(engine: Engine, settings: &str, options: &[&str]) -> Self {
        let files = tempfile::tempdir().expect("there is a folder for temporary files");
        make_key(&files.path().join("host_key"));
        make_key(&files.path().join("identity"));
        let container = Container::start_on(engine, DEBIAN, options);
        let address = container.address();
        let it = Self { container, address, files };
        let mut host = format!("{address} {}\n", it.host_key());
        if let Some(published) = it.published() {
            let (ip, port) = (published.ip(), published.port());
            host.push_str(&format!("[{ip}]:{port} {}\n", it.host_key()));
        }
        fs::write(it.known_hosts(), host).expect("the folder can be written");
        it.start_sshd(settings);
        it.wait_until_it_accepts();
        it
    }

    /// Returns the container that sshd runs in.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Returns the address that sshd listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (self.address, PORT).into()
    }

    /// Returns the address of sshd's published port on this machine, if it has one.
    ///
    /// # Panics
    ///
    /// If the container is gone.
    #[must_use]
    pub fn published(&self) -> Option<SocketAddr> {
        self.container.published(PORT)
    }

    /// Returns the file of the private key that every user accepts. It has no passphrase.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.files.path().join("identity")
    }

    /// Returns the data for a login as this user of the image, or of the test's.
    #[must_use]
    pub fn data(&self, user: &str) -> Data {
        login_data(user, PORT, &self.identity(), &self.known_hosts())
    }

    /// Returns a known_hosts file with only this host.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.files.path().join("known_hosts")
    }

    /// Adds the container's ID to [`known_hosts()`](Self::known_hosts): hostlink looks a container
    /// up by the ID that the engine reports.
    ///
    /// # Panics
    ///
    /// If the container is gone.
    pub fn is_known_as_container(&self) {
        let engine = self.container.engine();
        let id = engine.say(["container", "inspect", "--format", "{{.Id}}", self.container.name()]);
        let line = format!("container-{} {}\n", id.trim(), self.host_key());
        let file = fs::OpenOptions::new().append(true).open(self.known_hosts());
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the folder can be written");
    }

    /// Returns the public host key as in a known_hosts file: its type and the key.
    ///
    /// # Panics
    ///
    /// If its file was removed.
    #[must_use]
    pub fn host_key(&self) -> String {
        let text = self.read_file("host_key.pub");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Returns a command by plain `ssh` that reads no configuration of this machine; its outputs
    /// piped and its input empty.
    pub fn ssh<W: AsRef<OsStr>>(&self, user: &str, words: impl IntoIterator<Item = W>) -> Command {
        self.ssh_at(self.address(), user, words)
    }

    /// Returns a command like [`ssh()`](Self::ssh), at this address of the container, such as
    /// [`published()`](Self::published).
    pub fn ssh_at<W: AsRef<OsStr>>(
        &self,
        address: SocketAddr,
        user: &str,
        words: impl IntoIterator<Item = W>,
    ) -> Command {
        let known_hosts = format!("UserKnownHostsFile={}", self.known_hosts().display());
        let mut command = cli::command(Path::new("ssh"), ["-F", "none", "-i"]);
        command.arg(self.identity()).args(["-o", &known_hosts]);
        for option in ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes"] {
            command.args(["-o", option]);
        }
        command.args(["-p", &address.port().to_string()]);
        command.arg("--").arg(format!("{user}@{}", address.ip())).args(words);
        command
    }

    /// Returns sshd's log.
    ///
    /// # Panics
    ///
    /// If the container is gone.
    #[must_use]
    pub fn logs(&self) -> String {
        self.container.shell("cat /var/log/hostlink-sshd.log")
    }

    fn start_sshd(&self, settings: &str) {
        // One command does everything, as each costs a third of what the container costs. The
        // private key is sent on its input, because arguments are visible to every user of the
        // machine.
        const SCRIPT: &str = r#"
            umask 077
            cat >/etc/ssh/hostlink_host_key
            umask 022
            printf '%s' "$1" >/etc/ssh/hostlink_authorized_keys
            printf '%s' "$2" >/etc/ssh/hostlink_sshd_config
            mkdir -p /run/sshd
            setsid /usr/sbin/sshd -D -e -f /etc/ssh/hostlink_sshd_config \
                </dev/null >/var/log/hostlink-sshd.log 2>&1 &
        "#;
        let (accepted, settings) =
            (self.read_file("identity.pub"), format!("{settings}\n{SETTINGS}"));
        let words = ["sh", "-eu", "-c", SCRIPT, "sh", &accepted, &settings];
        succeed(self.container.command(words), self.read_file("host_key").as_bytes());
    }

    fn wait_until_it_accepts(&self) {
        let accepts = cli::becomes_true(|| self.banner().starts_with("SSH-"));
        assert!(accepts, "sshd at {} does not accept: {}", self.address(), self.logs());
    }

    /// Returns the start of sshd's banner; empty if there is none.
    fn banner(&self) -> String {
        let mut text = [0; 4];
        let read = TcpStream::connect_timeout(&self.address(), Duration::from_secs(5))
            .and_then(|mut stream| stream.read_exact(&mut text));
        read.map_or_else(|_| String::new(), |()| String::from_utf8_lossy(&text).into_owned())
    }

    fn read_file(&self, name: &str) -> String {
        fs::read_to_string(self.files.path().join(name)).expect("it was made at the start")
    }
}

fn make_key(path: &Path) {
    let words = ["-q", "-t", "ed25519", "-N", "", "-C", "a key of one test", "-f"];
    let mut command = cli::command(Path::new("ssh-keygen"), words);
    command.arg(path);
    succeed(command, b"");
}
