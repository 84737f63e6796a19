//! Containers for one test, which end when the test ends, in any way.
//!
//! The first process of a container waits for the end of its standard input. That is a pipe from
//! `docker run` or `podman run`, whose own standard input is a pipe from the test. So the engine
//! ends and removes the container when the test drops it, dies, or is killed by SIGKILL. Only a
//! container that is just being started then may be left, without a process; `cargo xtask test`
//! removes it.
//!
//! The images are made by `cargo xtask test --provision`, which also starts the engines.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cli::{self, code, run, run_with_input, stderr, stdout};
use crate::engine::Engine;

/// Debian with bash, GNU tar, rsync, sshd, sudo, doas, and the locale `de_DE.UTF-8`.
///
/// Its users have bash and no password. `plain` may not become another user, `sudoer` may with a
/// password by sudo and doas, `trusted` without one.
pub const DEBIAN: &str = "hostlink-test-debian";

/// Busybox with its links in `/bin`, and no other program.
pub const BUSYBOX: &str = "hostlink-test-busybox";

/// The label of every container of a test.
pub const LABEL: &str = "hostlink.test";

/// A start takes a quarter of a second. A busy machine may need a large part of this limit.
const LIMIT: Duration = Duration::from_secs(60);

/// A running container; dropping it removes it.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    name: String,
    client: Child,
    /// The container lives until this is closed.
    stdin: Option<ChildStdin>,
}

impl Container {
    /// Starts a container of this image on Docker, and waits until commands can run in it.
    ///
    /// Its process 1 reaps zombies.
    ///
    /// # Panics
    ///
    /// If the container does not start.
    #[must_use]
    pub fn start(image: &str) -> Self {
        Self::start_with(image, &[])
    }

    /// Starts a container like [`start()`](Self::start), with more options of `docker run`, such as
    /// `--tmpfs=/small`.
    ///
    /// # Panics
    ///
    /// If the container does not start.
    #[must_use]
    pub fn start_with(image: &str, options: &[&str]) -> Self {
        Self::start_on(Engine::Docker, image, options)
    }

    /// Starts a container like [`start_with()`](Self::start_with), on this engine.
    ///
    /// # Panics
    ///
    /// If the container does not start.
    #[must_use]
    pub fn start_on(engine: Engine, image: &str, options: &[&str]) -> Self {
        const HOLD: &str = "echo ready; exec cat";
        let name = unique_name();
        // It must not wait for a registry, and the log is not read.
        let fixed = ["run", "--rm", "--interactive", "--init", "--pull=never", "--log-driver=none"];
        let own = ["--label", LABEL, "--name", &name];
        let command = [image, "sh", "-c", HOLD];
        let words = [&fixed[..], &own, options, &command].concat();
        let mut client = engine.command(words);
        let mut client = client.stdin(Stdio::piped()).spawn().expect("there is the command");
        let stdin = client.stdin.take();
        let first_line = first_line(client.stdout.take().expect("it is a pipe"));
        let errors = collect(client.stderr.take().expect("it is a pipe"));
        let container = Self { engine, name, client, stdin };
        if first_line.recv_timeout(LIMIT).as_deref() != Ok("ready\n") {
            let name = container.name.clone();
            drop(container);
            let errors = errors.join().unwrap_or_default();
            panic!("the container {name} of {image} does not start on {engine}: {errors}");
        }
        container
    }

    /// Returns the engine that it runs on.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns its name on the engine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its address in the engine's network, which this machine can reach.
    ///
    /// # Panics
    ///
    /// If the container is in no network or in several.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        const FORMAT: &str = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let text = self.engine.say(["container", "inspect", "--format", FORMAT, &self.name]);
        text.trim().parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    /// Returns the address of a port on this machine, if the container was started with
    /// `--publish=127.0.0.1::PORT`.
    ///
    /// # Panics
    ///
    /// If the engine has no such container.
    #[must_use]
    pub fn published(&self, port: u16) -> Option<SocketAddr> {
        let all = self.engine.say(["port", &self.name]);
        let line = all.lines().find_map(|it| it.strip_prefix(&format!("{port}/tcp -> ")))?;
        Some(line.parse().unwrap_or_else(|error| panic!("{line:?}: {error}")))
    }

    /// Returns a command in the container, as root, by `docker exec` or Podman's; its outputs piped
    /// and its input empty.
    pub fn command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = self.engine.command(["exec", "-i", &self.name]);
        command.args(words);
        command
    }

    /// Runs a script of `sh` as root, by nsenter(1), and returns its output.
    ///
    /// The engine has no part in it: Podman's own `exec` loses the output of a short command now
    /// and then. So the script has all capabilities, and not the container's environment.
    ///
    /// # Panics
    ///
    /// If the container is not running, or the script fails.
    #[must_use]
    pub fn shell(&self, script: &str) -> String {
        const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let inspect = ["container", "inspect", "--format", "{{.State.Pid}}", &self.name];
        let pid = self.engine.say(inspect);
        let mut command = cli::command(Path::new("nsenter"), ["--target", pid.trim()]);
        command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]);
        command.args(["sh", "-c", script]).env_clear().env("PATH", PATH).env("HOME", "/root");
        succeed(command, b"")
    }

    /// Writes a file of root's, replacing an existing one; `mode` is octal.
    ///
    /// Its content is in no argument list.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn write_file(&self, path: &str, mode: &str, content: &[u8]) {
        const SCRIPT: &str = r#"umask 077; rm -f "$1" && cat >"$1" && chmod "$2" "$1""#;
        succeed(self.command(["sh", "-c", SCRIPT, "sh", path, mode]), content);
    }

    /// Gives a user a password, in a container of [`DEBIAN`].
    ///
    /// # Panics
    ///
    /// If there is no such user.
    pub fn set_password(&self, user: &str, password: &str) {
        succeed(self.command(["chpasswd"]), format!("{user}:{password}\n").as_bytes());
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // The client ends once the engine has removed the container. A panic here could end the
        // test program before it reports the failed test.
        let client = &mut self.client;
        let has_ended = || matches!(client.try_wait(), Ok(Some(_)) | Err(_));
        if !cli::becomes_true(has_ended) {
            let _ = self.engine.command(["rm", "--force", &self.name]).status();
            let _ = self.client.kill();
            let _ = self.client.wait();
        }
    }
}

/// Runs a command that must succeed, and returns its output.
pub(crate) fn succeed(command: Command, input: &[u8]) -> String {
    let text = format!("{command:?}");
    let output = if input.is_empty() { run(command) } else { run_with_input(command, input) };
    assert_eq!(code(&output), 0, "{text}: {}", stderr(&output));
    stdout(&output)
}

/// Returns a unique name. A process ID may be used again, but not within a nanosecond.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos();
    format!("hostlink-test-{}-{time:x}-{count}", id())
}

/// Sends the first line. Reads on to the end, so that the writer does not block.
fn first_line(output: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let _ = output.read_line(&mut line);
        let _ = sender.send(line);
        io::copy(&mut output, &mut io::sink())
    });
    receiver
}

fn collect(mut errors: ChildStderr) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}
