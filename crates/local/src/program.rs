//! Runs a program of this machine for its output. It gets no input.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use hostlink_core::SECRET_VARIABLES;
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of the end of standard error is kept.
const MAX_STDERR: usize = 64 << 10;

/// How much a program may write by default. With what else a process has, it takes less than 64
/// MiB.
const MAX_OUTPUT: usize = 32 << 20;

/// A program to run, with limits on its time, its output and its life.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    words: Vec<OsString>,
    directory: Option<PathBuf>,
    environment: BTreeMap<OsString, OsString>,
    limit: Duration,
    max_output: usize,
    may_prompt: bool,
}

/// The output of a program, and how it ended.
#[derive(Clone, Debug)]
pub struct Written {
    /// How it ended.
    pub status: ExitStatus,
    /// Its complete standard output.
    pub stdout: Vec<u8>,
    /// The last 64 KiB of its standard error; empty if it [may prompt](Program::may_prompt).
    pub stderr: Vec<u8>,
}

/// Why a program has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProgramError {
    /// It cannot be started.
    NotStarted(io::Error),
    /// Its output cannot be read.
    Unreadable(io::Error),
    /// It did not end in time, and was killed.
    TooSlow(Duration),
    /// It wrote more than this many bytes, and was killed.
    TooMuch(usize),
}

impl fmt::Display for ProgramError {
    /// The message continues after the program's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "cannot be started: {error}"),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::TooSlow(limit) => write!(f, "did not end within {} s", limit.as_secs()),
            Self::TooMuch(max) if *max >= 1 << 20 => {
                write!(f, "wrote more than {} MiB", max >> 20)
            }
            Self::TooMuch(max) => write!(f, "wrote more than {max} bytes"),
        }
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// Returns a program by its path, or by its name on the `PATH` of `environment`. It does not
    /// get hostlink's own secrets in the environment. Default: 60 s, and 32 MiB of output.
    pub fn new(path: impl Into<PathBuf>, environment: &BTreeMap<String, String>) -> Self {
        let kept = environment.iter().filter(|(key, _)| !SECRET_VARIABLES.contains(&key.as_str()));
        Self {
            path: path.into(),
            words: Vec::new(),
            directory: None,
            environment: kept.map(|(key, value)| (key.into(), value.into())).collect(),
            limit: Duration::from_secs(60),
            max_output: MAX_OUTPUT,
            may_prompt: false,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(key.into(), value.as_ref().to_owned());
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.environment.remove(OsStr::new(key));
        self
    }

    /// Sets its directory. Default: the current directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets its time limit.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the limit of its standard output, in bytes.
    #[must_use]
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }

    /// Leaves it the terminal of this process, and standard error, to prompt the user, as password
    /// stores do. Then it has no session of its own: when it is cancelled, only the program is
    /// killed, and not the processes that it started.
    #[must_use]
    pub fn may_prompt(mut self) -> Self {
        self.may_prompt = true;
        self
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// [`ProgramError`]. A failure of the program is not an error: see [`Written::status`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the program, with everything in its session's first group.
    pub async fn output(self) -> Result<Written, ProgramError> {
        let (limit, max) = (self.limit, self.max_output);
        let may_prompt = self.may_prompt;
        let child = self.start().map_err(ProgramError::NotStarted)?;
        let written = tokio::time::timeout(limit, written(child, max, may_prompt)).await;
        written.unwrap_or(Err(ProgramError::TooSlow(limit)))
    }

    fn start(self) -> io::Result<Box<dyn ChildWrapper>> {
        let path = on_path(&self.path, &self.environment);
        let mut command = CommandWrap::with_new(path, |command| {
            command.args(&self.words).env_clear().envs(&self.environment).kill_on_drop(true);
            if let Some(directory) = &self.directory {
                command.current_dir(directory);
            }
            let stderr = if self.may_prompt { Stdio::inherit() } else { Stdio::piped() };
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        });
        if !self.may_prompt {
            command.wrap(ProcessSession);
        }
        Ok(command.spawn()?.into_inner())
    }
}

/// Returns the program of this name on a `PATH`.
#[must_use]
pub fn find_program(name: impl AsRef<Path>, path: impl AsRef<OsStr>) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
    };
    // An empty entry would be the current directory, to which others may write.
    let directories = std::env::split_paths(&path).filter(|it| !it.as_os_str().is_empty());
    directories.map(|directory| directory.join(&name)).find(is_program)
}

/// A name without a slash is looked up on the program's own `PATH`, as a shell would.
fn on_path(path: &Path, environment: &BTreeMap<OsString, OsString>) -> PathBuf {
    if path.components().count() > 1 || path.has_root() {
        return path.to_owned();
    }
    let found = environment.get(OsStr::new("PATH")).and_then(|folders| find_program(path, folders));
    found.unwrap_or_else(|| Path::new("/nonexistent").join(path))
}

async fn written(
    mut child: Box<dyn ChildWrapper>,
    max: usize,
    may_prompt: bool,
) -> Result<Written, ProgramError> {
    let group = Group::of(if may_prompt { None } else { child.id() });
    let stdout = child.stdout().take().expect("stdout is a pipe");
    let stderr = child.stderr().take();
    let ended = async move {
        let status = child.wait().await;
        // Processes that it left running would hold its outputs open.
        group.end();
        status.map_err(ProgramError::Unreadable)
    };
    let (stdout, stderr, status) = tokio::try_join!(whole(stdout, max), end(stderr), ended)?;
    Ok(Written { status, stdout, stderr })
}

async fn whole(stream: impl AsyncRead + Unpin, max: usize) -> Result<Vec<u8>, ProgramError> {
    let mut bytes = Vec::new();
    let mut bounded = stream.take(max as u64 + 1);
    bounded.read_to_end(&mut bytes).await.map_err(ProgramError::Unreadable)?;
    if bytes.len() > max { Err(ProgramError::TooMuch(max)) } else { Ok(bytes) }
}

/// Reads to the end, and keeps the last bytes.
async fn end(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, ProgramError> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return Ok(kept) };
    while stream.read_buf(&mut kept).await.map_err(ProgramError::Unreadable)? > 0 {
        if kept.len() > 2 * MAX_STDERR {
            kept.drain(..kept.len() - MAX_STDERR);
        }
    }
    kept.drain(..kept.len().saturating_sub(MAX_STDERR));
    Ok(kept)
}

/// The process group of a child, killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: Option<u32>) -> Self {
        Self(leader.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }

    /// Kills what the leader has left, once the leader has been waited for.
    fn end(mut self) {
        // While the group has members no new process gets its ID: one that has it now is unrelated.
        if let Some(leader) = self.0.take()
            && test_kill_process(leader) == Err(Errno::SRCH)
        {
            kill(leader);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            kill(leader);
        }
    }
}

fn kill(leader: Pid) {
    // It fails only if nothing is left to be killed.
    let _gone = kill_process_group(leader, Signal::KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Program {
        let environment = [("PATH", "/usr/bin:/bin"), ("HOSTLINK_SUDO_PASSWORD", "hunter2")];
        let environment = environment.map(|(key, value)| (key.into(), value.into())).into();
        Program::new("sh", &environment).args(["-c", script])
    }

    #[tokio::test]
    async fn it_gets_the_environment_it_was_given_without_our_secrets() {
        let written =
            sh("env; pwd; echo x >&2; exit 3").env("A", "b").directory("/").output().await.unwrap();
        let text = String::from_utf8(written.stdout).unwrap();
        assert!(text.contains("PATH=/usr/bin:/bin\n") && text.contains("A=b\n"), "{text}");
        assert!(text.ends_with("\n/\n"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("HOME="), "{text}");
        assert_eq!((written.status.code(), &*written.stderr), (Some(3), &b"x\n"[..]));
    }

    #[tokio::test]
    async fn what_does_not_end_is_ended() {
        for (script, expected) in
            [("exec yes", "wrote more than 1 MiB"), ("exec sleep 1000", "did not end within 0 s")]
        {
            let program = sh(script).max_output(1 << 20);
            let program = if script == "exec yes" {
                program
            } else {
                program.limit(Duration::from_millis(300))
            };
            assert_eq!(program.output().await.unwrap_err().to_string(), expected);
        }
        let missing = Program::new("hostlink-no-such-program", &BTreeMap::new()).output().await;
        let Err(ProgramError::NotStarted(error)) = missing else { panic!("{missing:?}") };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_standard_error_is_kept() {
        let written = sh("yes long | head -c 1000000 >&2; echo last >&2").output().await.unwrap();
        assert!(written.stderr.len() == MAX_STDERR && written.stderr.ends_with(b"last\n"));
    }

    #[tokio::test]
    async fn children_end_with_it_and_when_it_is_dropped() {
        let pid = std::process::id();
        for (turn, wait) in ["wait", "exit"].into_iter().enumerate() {
            let file = std::env::temp_dir().join(format!("hostlink-program-{pid}-{turn}"));
            let script =
                format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; {wait}", file.display());
            let started = async {
                while !file.exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let mut ended = Box::pin(sh(&script).output());
            if wait == "exit" {
                ended.await.unwrap();
            } else {
                tokio::select! { () = started => {}, ended = &mut ended => panic!("{ended:?}") }
                drop(ended);
            }
            let child = std::fs::read_to_string(&file).unwrap().trim().to_owned();
            std::fs::remove_file(&file).unwrap();
            let state =
                || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            while state().contains("(sleep) S") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
