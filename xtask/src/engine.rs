//! The Docker engine that the tests drive: the one that answers, or one that is started here.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use xshell::{Shell, cmd};

/// Outside of any checkout, because the engine serves all of them and outlives them.
const STATE: &str = "/var/lib/hostlink-tests";

/// It starts within seconds; a busy machine may need a good part of this.
const LIMIT: Duration = Duration::from_secs(60);

/// How much of the engine's log an error shows.
const LINES_SHOWN: usize = 20;

/// Marks what belongs to the tests: their images and containers.
pub(crate) const LABEL: &str = "hostlink.test";

/// Whether an engine can be used now.
pub(crate) fn answers(sh: &Shell) -> bool {
    // The client waits for ever for an engine that accepts and says nothing.
    let format = "{{.Server.Version}}";
    let ask = cmd!(sh, "timeout 20 docker version --format {format}");
    ask.quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Keeps other runs from starting an engine or building images, until it is dropped.
///
/// # Errors
///
/// If the folder for the state cannot be written.
pub(crate) fn lock() -> anyhow::Result<File> {
    fs::create_dir_all(STATE).with_context(|| format!("cannot make {STATE}"))?;
    let path = state_file("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// A file that lives beside the engine's log.
pub(crate) fn state_file(name: &str) -> PathBuf {
    Path::new(STATE).join(name)
}

/// Starts an engine, waits until it answers, and lets it run.
///
/// A second run of the tests finds it running, and so need not wait for it.
///
/// # Errors
///
/// If `DOCKER_HOST` asks for another engine, or with the end of its log if it ends or does not
/// answer in time; it is ended then.
pub(crate) fn start(sh: &Shell) -> anyhow::Result<()> {
    if let Some(address) = env::var_os("DOCKER_HOST").filter(|it| !it.is_empty()) {
        bail!("no engine answers at DOCKER_HOST={}", address.display());
    }
    let log = state_file("dockerd.log");
    let mut engine = spawn(&log)?;
    wait_until_it_answers(sh, &mut engine).map_err(|error| {
        // Not by SIGKILL, which would leave the containerd that it has started.
        let id = engine.id().to_string();
        let _ = cmd!(sh, "kill -TERM {id}").quiet().ignore_stderr().run();
        anyhow!("{error:#}; {} ends with\n{}", log.display(), end_of(&log))
    })
}

/// Removes containers that were never started, because their test was killed at that moment.
///
/// All others go with their test. Young ones stay, as a test that runs now may be about to start
/// them.
pub(crate) fn remove_stillborn(sh: &Shell) {
    let label = format!("label={LABEL}");
    let prune = cmd!(sh, "docker container prune --force --filter {label} --filter until=10m");
    let _ = prune.quiet().ignore_stdout().ignore_stderr().run();
}

fn spawn(log: &Path) -> anyhow::Result<Child> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = file.try_clone().context("cannot share the log")?;
    // In a session of its own, so that Ctrl-C here does not end it. `setsid` runs it in its own
    // place, as the child of a shell leads no group.
    let mut command = Command::new("setsid");
    command.args(["dockerd", "--log-level=warn"]).current_dir("/");
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    command.spawn().context("cannot start dockerd")
}

fn wait_until_it_answers(sh: &Shell, engine: &mut Child) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !answers(sh) {
        if let Some(status) = engine.try_wait()? {
            bail!("dockerd has ended ({status})");
        }
        ensure!(Instant::now() < deadline, "dockerd does not answer after {LIMIT:?}");
        sleep(Duration::from_millis(100));
    }
    Ok(())
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
        let error = wait_until_it_answers(&sh, &mut engine).unwrap_err();
        assert_eq!(error.to_string(), "dockerd has ended (exit status: 1)");
    }
}
