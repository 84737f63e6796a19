//! A container that can be reached by SSH, with keys that belong to one test.

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

/// Reads `sshd_config(5)`, in which the first value of a keyword counts.
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
Subsystem sftp /usr/lib/openssh/sftp-server
";

/// sshd in a container of [`DEBIAN`], with a host key of its own; dropping it removes it.
///
/// One key, in [`identity()`](Self::identity), logs in as root and as each user of the image.
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

    /// As [`start()`](Self::start), with lines of `sshd_config(5)` that go before the usual ones,
    /// and more options of `docker run`.
    ///
    /// # Panics
    ///
    /// If one of them does not start.
    #[must_use]
    pub fn start_with(settings: &str, options: &[&str]) -> Self {
        Self::start_on(Engine::Docker, settings, options)
    }

    /// As [`start()`](Self::start), with a port of this machine's in front of sshd's.
    ///
    /// # Panics
    ///
    /// If one of them does not start.
    #[must_use]
    pub fn start_published(engine: Engine) -> Self {
        Self::start_on(engine, "", &["--publish=127.0.0.1::22"])
    }

    /// As [`start_with()`](Self::start_with), on this engine.
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

    /// The container that sshd runs in.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Where sshd listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (self.address, PORT).into()
    }

    /// Where sshd is reached by a port of this machine's, if it was started with one.
    ///
    /// # Panics
    ///
    /// If the container is gone.
    #[must_use]
    pub fn published(&self) -> Option<SocketAddr> {
        self.container.published(PORT)
    }

    /// A file with the private key that every user accepts; it has no passphrase.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.files.path().join("identity")
    }

    /// All that is needed to log in as this user of the image, or of the test's.
    #[must_use]
    pub fn data(&self, user: &str) -> Data {
        login_data(user, PORT, &self.identity(), &self.known_hosts())
    }

    /// A file that knows this host, and no other.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.files.path().join("known_hosts")
    }

    /// Has [`known_hosts()`](Self::known_hosts) know the host by the container's ID too, as
    /// hostlink looks for one that an engine has told it of.
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

    /// The public host key, as in a file of known hosts: its type and the key.
    ///
    /// # Panics
    ///
    /// If its file has been removed.
    #[must_use]
    pub fn host_key(&self) -> String {
        let text = self.read_file("host_key.pub");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// A command by plain `ssh` that reads no configuration of this machine; its outputs piped and
    /// its input empty.
    pub fn ssh<W: AsRef<OsStr>>(&self, user: &str, words: impl IntoIterator<Item = W>) -> Command {
        self.ssh_at(self.address(), user, words)
    }

    /// As [`ssh()`](Self::ssh), by this address of the container, such as
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

    /// What sshd has logged.
    ///
    /// # Panics
    ///
    /// If the container is gone.
    #[must_use]
    pub fn logs(&self) -> String {
        self.container.shell("cat /var/log/hostlink-sshd.log")
    }

    fn start_sshd(&self, settings: &str) {
        // One command does it all, as each costs a third of what the container costs. The private
        // key comes by its input, because arguments can be read by every user of the machine.
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

    /// The beginning of what sshd says first; nothing if it says nothing.
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
