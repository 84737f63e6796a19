//! The container engines for the tests: running ones, or ones that are started here.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use xshell::{Cmd, Shell, cmd};

/// Outside of any checkout, because the engines serve all of them and outlive them.
pub(crate) const STATE: &str = "/var/lib/hostlink-tests";

/// The address of Podman's service; the tests have the same constant.
const PODMAN_SOCKET: &str = "/var/lib/hostlink-tests/podman.sock";

/// The directory that Podman expects to be empty after a reboot.
const PODMAN_RUN: &str = "/run/hostlink-tests-podman";

/// The limit of a start, which takes seconds, for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The maximum number of lines of an engine's log in an error.
const LINES_SHOWN: usize = 20;

/// The label of the tests' images and containers.
pub(crate) const LABEL: &str = "hostlink.test";

/// A kind of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The engine that the `docker` command uses.
    Docker,
    /// Podman's service, with a storage and a socket for the tests, separate from the machine's
    /// own.
    Podman,
}

/// Both engines. Docker comes first, because Podman uses the storage driver that Docker has chosen.
pub(crate) const ENGINES: [Engine; 2] = [Engine::Docker, Engine::Podman];

impl Engine {
    /// Returns the engine's own command, connected to it, with these arguments.
    pub(crate) fn client<'a>(self, sh: &'a Shell, words: &[&str]) -> Cmd<'a> {
        let command = match self {
            Self::Docker => cmd!(sh, "docker"),
            Self::Podman => cmd!(sh, "podman --url unix://{PODMAN_SOCKET}"),
        };
        command.args(words).quiet()
    }

    /// Returns whether it can be used now.
    pub(crate) fn answers(self, sh: &Shell) -> bool {
        // The client waits forever for an engine that accepts and never answers.
        let (program, version) = ("timeout", ["version", "--format", "{{.Server.Version}}"]);
        let ask = match self {
            Self::Docker => cmd!(sh, "{program} 20 docker {version...}"),
            Self::Podman => {
                cmd!(sh, "{program} 20 podman --url unix://{PODMAN_SOCKET} {version...}")
            }
        };
        ask.quiet().ignore_stdout().ignore_stderr().run().is_ok()
    }

    /// Starts it, waits until it answers, and keeps it running.
    ///
    /// The next run of the tests finds it running, and need not wait.
    ///
    /// # Errors
    ///
    /// If `DOCKER_HOST` names another engine; or, with the end of its log, if it ends or does not
    /// answer in time. Then it is stopped.
    pub(crate) fn start(self, sh: &Shell) -> anyhow::Result<()> {
        let host = env::var_os("DOCKER_HOST").filter(|it| !it.is_empty());
        if let (Self::Docker, Some(address)) = (self, host) {
            bail!("no engine answers at DOCKER_HOST={}", address.display());
        }
        let log = state_file(&format!("{self}.log"));
        let mut engine = spawn(self.server(sh)?, &log)?;
        let answers = self.wait_until_it_answers(sh, &mut engine).map_err(|error| {
            // SIGKILL would leave the containerd that dockerd has started.
            let id = engine.id().to_string();
            let _ = cmd!(sh, "kill -TERM {id}").quiet().ignore_stderr().run();
            anyhow!("{error:#}; {} ends with\n{}", log.display(), end_of(&log))
        });
        answers?;
        match self {
            Self::Docker => settle_bridge(sh),
            Self::Podman => Ok(()),
        }
    }

    fn wait_until_it_answers(self, sh: &Shell, engine: &mut Child) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !self.answers(sh) {
            if let Some(status) = engine.try_wait()? {
                bail!("{self} has ended ({status})");
            }
            ensure!(Instant::now() < deadline, "{self} does not answer after {LIMIT:?}");
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Returns the server in its own session, so that Ctrl-C here does not end it. `setsid`
    /// replaces itself by the server, as the child of a shell leads no group.
    fn server(self, sh: &Shell) -> anyhow::Result<Command> {
        let mut command = Command::new("setsid");
        // Tests name images that do not exist, and must not reach a registry: this address has no
        // listener.
        command.env("HTTPS_PROXY", "http://127.0.0.1:9");
        if self == Self::Docker {
            command.args(["dockerd", "--log-level=warn"]);
            return Ok(command);
        }
        let settings = state_file("containers.conf");
        sh.write_file(&settings, include_str!("containers.conf"))?;
        // A socket left by an earlier service; that of a running one would have answered.
        sh.remove_path(PODMAN_SOCKET)?;
        let storage = state_file("podman");
        command.args(["podman", "--log-level=warn", "--storage-driver", &podman_driver(sh)?]);
        command.arg("--root").arg(storage).args(["--runroot", PODMAN_RUN]);
        command.args(["--tmpdir", &format!("{PODMAN_RUN}/libpod")]);
        command.args(["system", "service", "--time=0", &format!("unix://{PODMAN_SOCKET}")]);
        command.env("CONTAINERS_CONF", settings);
        Ok(command)
    }

    /// Removes containers that were never started, because their test was killed at that moment.
    ///
    /// All others end with their test. Recent ones stay, as a running test may be about to start
    /// them.
    pub(crate) fn remove_stillborn(self, sh: &Shell) {
        let label = format!("label={LABEL}");
        let words = ["container", "prune", "--force", "--filter", &label, "--filter", "until=10m"];
        let _ = self.client(sh, &words).ignore_stdout().ignore_stderr().run();
    }
}

impl fmt::Display for Engine {
    /// Writes the name of its program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "dockerd",
            Self::Podman => "podman",
        })
    }
}

/// The bridge of Docker's containers.
const BRIDGE: &str = "docker0";

/// Gives Docker's bridge a fixed address.
///
/// By default Docker 20.10 leaves it with the lowest address of its containers, which changes as
/// they come and go. A container that talks to this machine then sends to the old address until it
/// looks up the gateway again: its connections stall for 5 s and more (`delay_first_probe_time`,
/// arp(7)).
fn settle_bridge(sh: &Shell) -> anyhow::Result<()> {
    let address = "02:42:68:6c:00:01";
    cmd!(sh, "ip link set dev {BRIDGE} address {address}")
        .quiet()
        .run()
        .with_context(|| format!("cannot give {BRIDGE} a fixed address"))
}

/// Keeps other runs from starting an engine or building images, until the lock is dropped.
///
/// # Errors
///
/// If the state directory cannot be written.
pub(crate) fn lock() -> anyhow::Result<File> {
    fs::create_dir_all(STATE).with_context(|| format!("cannot make {STATE}"))?;
    let path = state_file("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Returns the path of a file beside the engines' logs.
pub(crate) fn state_file(name: &str) -> PathBuf {
    Path::new(STATE).join(name)
}

/// Returns Docker's driver: it has detected whether this machine's file system supports overlays.
fn podman_driver(sh: &Shell) -> anyhow::Result<String> {
    let driver = Engine::Docker.client(sh, &["info", "--format", "{{.Driver}}"]).read()?;
    Ok(if driver.starts_with("overlay") { "overlay" } else { "vfs" }.to_owned())
}

fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Child> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = file.try_clone().context("cannot share the log")?;
    command.current_dir("/").stdin(Stdio::null()).stdout(file).stderr(errors);
    command.spawn().with_context(|| format!("cannot start {:?}", command.get_args()))
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
    last_lines(&text, LINES_SHOWN)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        assert_eq!(last_lines("one\ntwo\nthree\n", 2), "two\nthree");
        assert_eq!(last_lines("one\n", 2), "one");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn an_engine_that_ends_is_noticed() {
        let mut engine = Command::new("false").spawn().unwrap();
        let sh = Shell::new().unwrap();
        let _nowhere = sh.push_env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        let error = Engine::Docker.wait_until_it_answers(&sh, &mut engine).unwrap_err();
        assert_eq!(error.to_string(), "dockerd has ended (exit status: 1)");
    }
}
