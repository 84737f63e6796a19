//! An sshd of our own with keys of its own, and users with passwords of their own.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostlink_core::{Context, Data, Secret, Target};
use tempfile::TempDir;

use crate::master::{Failure, Master, Run};
use crate::settings::{HostKeyPolicy, Settings};

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// An sshd on all loopback addresses: each of 127.0.1.1, 127.0.1.2 … is a host.
pub(super) struct Sshd {
    pub(super) port: u16,
    directory: TempDir,
    child: Child,
}

impl Sshd {
    /// Starts one. `extra` stands before the other lines of its configuration.
    pub(super) fn start(extra: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("sshd-").tempdir().unwrap();
        let path = directory.path();
        for key in ["host", "user"] {
            keygen(&path.join(key), "");
        }
        fs::copy(path.join("user.pub"), path.join("authorized")).unwrap();
        // sshd reads it as the user who logs in.
        Command::new("chmod").arg("-R").arg("go+rX").arg(path).status().unwrap();
        Command::new("chmod")
            .arg("600")
            .arg(path.join("host"))
            .arg(path.join("user"))
            .status()
            .unwrap();
        let shown = path.display();
        // Of this keyword the last line counts, unlike of the others.
        let startups = if extra.contains("MaxStartups") { "" } else { "MaxStartups 1000\n" };
        // With that, bash does not read root's start-up file, which is the machine's: see bash(1),
        // "INVOCATION".
        let config = format!(
            "{extra}\nListenAddress 0.0.0.0\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized\n\
             StrictModes no\nPidFile none\nUsePAM yes\nUseDNS no\nLogLevel VERBOSE\n\
             {startups}PerSourceMaxStartups none\n\
             Match User root\nSetEnv SHLVL=1\n"
        );
        fs::write(path.join("config"), config).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        let (child, port) = start_on_a_free_port(path);
        Self { port, directory, child }
    }

    /// The key that every user may log in with.
    pub(super) fn key(&self) -> PathBuf {
        self.path("user")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Settings that reach it at 127.0.0.1 as root with nothing to log in with.
    pub(super) fn settings(&self) -> Settings {
        settings(self.directory.path(), self.port)
    }

    /// The same with the key.
    pub(super) fn with_key(&self) -> Settings {
        Settings { key: Some(self.key()), ..self.settings() }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Settings that reach the sshd of this directory at 127.0.0.1 as root with nothing to log in with.
pub(super) fn settings(directory: &Path, port: u16) -> Settings {
    let target = Target { name: "127.0.0.1".to_owned(), data: Data::new(), outer: None };
    Settings {
        port: Some(port),
        user: Some("root".to_owned()),
        allow_agent: false,
        look_for_keys: false,
        config_file: Some("none".into()),
        known_hosts_file: Some(directory.join("known_hosts")),
        host_keys: Some(HostKeyPolicy::AcceptNew),
        connect_timeout: Some(LIMIT),
        server_alive_interval: Some(15),
        ..Settings::parse(&target, None).unwrap()
    }
}

fn start_on_a_free_port(path: &Path) -> (Child, u16) {
    loop {
        let port = free_port();
        let log = fs::File::create(path.join("log")).unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "/usr/sbin/sshd", "-D", "-e", "-f"])
            .arg(path.join("config"))
            .args(["-p", &port.to_string()])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let start = Instant::now();
        loop {
            if child.try_wait().unwrap().is_some() {
                let log = fs::read_to_string(path.join("log")).unwrap();
                assert!(log.contains("in use"), "sshd does not start: {log}");
                break;
            }
            let log = fs::read_to_string(path.join("log")).unwrap();
            if log.contains("Server listening") && TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (child, port);
            }
            assert!(start.elapsed() < LIMIT, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(super) fn keygen(path: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(path)
        .status();
    assert!(made.unwrap().success());
}

/// A user of this machine, as long as the test runs.
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl User {
    pub(super) fn new(password: &str) -> Self {
        let name = format!("hl{}", random(8));
        let add = || Command::new("useradd").args(["-M", "-s", "/bin/sh", &name]).output().unwrap();
        until("useradd works", || add().status.success());
        until("chpasswd works", || {
            let mut child = Command::new("chpasswd")
                .stdin(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let line = format!("{name}:{password}\n");
            child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
            child.wait().unwrap().success()
        });
        Self { name, password: password.to_owned() }
    }

    /// The settings with this user and his password.
    pub(super) fn log_in(&self, settings: Settings) -> Settings {
        Settings {
            user: Some(self.name.clone()),
            password: Some(Secret::from(self.password.as_str())),
            ..settings
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let delete = || Command::new("userdel").args(["-f", &self.name]).output().unwrap();
        until("userdel works", || matches!(delete().status.code(), Some(0 | 6)));
    }
}

pub(super) fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

/// Waits until it is so, with a generous limit.
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run, and a login in it.
pub(super) async fn start(settings: &Settings) -> Result<(Run, Master), Failure> {
    start_in(settings, &Context::default()).await
}

pub(super) async fn start_in(
    settings: &Settings,
    context: &Context,
) -> Result<(Run, Master), Failure> {
    let run = Run::new(context)?;
    let master =
        Master::start(&run, settings, "host", context, settings.connect_limit(context)).await?;
    Ok((run, master))
}

/// Runs a command on the master's link.
pub(super) fn run(master: &Master, command: &str) -> String {
    let output = Command::new("ssh")
        .args(["-F", "none", "-S"])
        .arg(master.control_path())
        .args(["--", "host", command])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The failure of a login that must not succeed.
pub(super) async fn failure(settings: &Settings) -> Failure {
    start(settings).await.map(drop).unwrap_err()
}
