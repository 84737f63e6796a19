//! The program `vagrant`.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use hostlink_core::{Context, Error, ErrorKind, Result, SECRET_VARIABLES};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::machine_readable;
use crate::settings::VARIABLE;

/// How long one call may take. One takes 1.2 s with the docker provider; others ask a hypervisor for each machine.
const LIMIT: Duration = Duration::from_secs(120);

/// How much it may write to each output: some 20,000 machines.
const MOST: u64 = 16 * 1024 * 1024;

/// How many of its lines an error shows, and how many characters of these.
const LINES_SHOWN: usize = 8;
const SHOWN: usize = 600;

/// What one call wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    command: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    stderr: String,
}

/// Runs `vagrant --machine-readable` with these words in a directory.
///
/// It gets the context's environment without hostlink's secrets, and no input. It leads a session of its own, which is killed
/// as a whole when the call is given up.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: it cannot be started, or writes too much; [`ErrorKind::Timeout`].
pub(crate) async fn vagrant(words: &[&str], directory: &Path, context: &Context) -> Result<Answer> {
    call(words, directory, context, LIMIT).await
}

async fn call(
    words: &[&str],
    directory: &Path,
    context: &Context,
    limit: Duration,
) -> Result<Answer> {
    let mut command = CommandWrap::with_new("vagrant", |command| {
        command.arg("--machine-readable").args(words).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear();
        if let Some(home) = &context.home {
            command.env("HOME", home);
        }
        command.envs(&context.environment);
        for name in SECRET_VARIABLES.into_iter().chain([VARIABLE]) {
            command.env_remove(name);
        }
        // It would ask HashiCorp for a newer version of itself.
        command.env("VAGRANT_CHECKPOINT_DISABLE", "1");
    });
    let child = command.wrap(ProcessSession).spawn().map_err(|error| not_started(&error))?;
    let shown = format!("vagrant {}", words.join(" "));
    let answered = tokio::time::timeout(limit, answer(&shown, child.into_inner()));
    answered.await.unwrap_or_else(|_| {
        let message = format!("{shown} does not end: it was killed after {limit:?}");
        Err(Error::new(ErrorKind::Timeout, message))
    })
}

fn not_started(error: &io::Error) -> Error {
    let message = if error.kind() == io::ErrorKind::NotFound {
        "there is no vagrant on PATH: install it from your distribution (`apt install vagrant`) or from \
         https://developer.hashicorp.com/vagrant/install"
            .to_owned()
    } else {
        format!("cannot start vagrant: {error}")
    };
    Error::new(ErrorKind::Inventory, message)
}

async fn answer(shown: &str, mut child: Box<dyn ChildWrapper>) -> Result<Answer> {
    let session = Session::new(child.id());
    let stdout = child.stdout().take().expect("stdout was asked to be a pipe");
    let stderr = child.stderr().take().expect("stderr was asked to be a pipe");
    let ended = async move {
        let status = child.wait().await;
        // Or what it left running would hold its outputs open.
        session.end();
        status
    };
    let (stdout, stderr, status) = tokio::try_join!(read(stdout), read(stderr), ended)
        .map_err(|error| Error::new(ErrorKind::Inventory, format!("{shown}: {error}")))?;
    Ok(Answer { command: shown.to_owned(), status, stdout, stderr })
}

async fn read(output: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut bytes = Vec::new();
    if output.take(MOST + 1).read_to_end(&mut bytes).await? as u64 > MOST {
        return Err(io::Error::other(format!("it wrote more than {} MiB", MOST / 1024 / 1024)));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The process group of a child, killed when this is dropped.
struct Session(Option<Pid>);

impl Session {
    fn new(pid: Option<u32>) -> Self {
        Self(pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }

    /// Ends what the leader has left, once it has been waited for.
    fn end(mut self) {
        // While the group has members no new process gets its number: one that has it now is a stranger.
        if let Some(leader) = self.0.take()
            && test_kill_process(leader) == Err(Errno::SRCH)
        {
            kill(leader);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            kill(leader);
        }
    }
}

fn kill(leader: Pid) {
    // It fails only where nothing is left to be killed.
    let _gone = kill_process_group(leader, Signal::KILL);
}

impl Answer {
    /// Whether it did what it was asked for.
    pub(crate) fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Whether it met a machine that cannot be logged in to, and stopped there.
    pub(crate) fn met_one_that_is_not_ready(&self) -> bool {
        self.failure().is_some_and(|(class, _)| class == "Vagrant::Errors::SSHNotReady")
    }

    /// The error for a call that failed, in Vagrant's words or those of Ruby.
    pub(crate) fn error(&self) -> Error {
        let Self { command, status, stderr, .. } = self;
        let words = match self.failure() {
            Some((_, words)) => on_one_line(words.lines()),
            // Ruby's words, and then where each caller is.
            None => {
                let lines = stderr.lines().filter(|line| !line.trim_start().starts_with("from /"));
                let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
                on_one_line(lines[lines.len().saturating_sub(LINES_SHOWN)..].iter().copied())
            }
        };
        let failed = format!("{command} failed ({status})");
        let words = if words.is_empty() { failed } else { format!("{failed}: {words}") };
        Error::new(ErrorKind::Inventory, words)
    }

    /// The class of Vagrant's error and its message, if it came to that.
    fn failure(&self) -> Option<(String, String)> {
        let line = machine_readable::lines(&self.stdout).find(|line| line.kind == "error-exit")?;
        let mut data = line.data();
        Some((data.next()?, data.next().unwrap_or_default()))
    }
}

fn on_one_line<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{} …", words[..at].trim_end()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn failed(stdout: &str, stderr: &str) -> Answer {
        Answer {
            command: "vagrant status".to_owned(),
            status: ExitStatus::from_raw(1 << 8),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    }

    #[test]
    fn vagrants_own_words_are_told() {
        let stdout = "noise\n1,,ui,error,x\n\
            1,,error-exit,Vagrant::Errors::NoEnvironmentError,Run `vagrant init`%!(VAGRANT_COMMA)\\nor go.\n";
        let answer = failed(stdout, "a warning\n");
        assert!(!answer.met_one_that_is_not_ready());
        assert_eq!(
            answer.error().to_string(),
            "vagrant status failed (exit status: 1): Run `vagrant init`, or go."
        );
        assert!(
            failed("1,,error-exit,Vagrant::Errors::SSHNotReady,x", "").met_one_that_is_not_ready()
        );
    }

    #[test]
    fn rubys_words_are_told_without_the_callers() {
        let stderr =
            "/p/Vagrantfile:3:in `block': oh dear (RuntimeError)\n\tfrom /usr/a.rb:37:in `load'\n";
        assert_eq!(
            failed("", stderr).error().to_string(),
            "vagrant status failed (exit status: 1): /p/Vagrantfile:3:in `block': oh dear (RuntimeError)"
        );
        assert_eq!(failed("", "\n").error().to_string(), "vagrant status failed (exit status: 1)");
        let long = failed("", &"word ".repeat(1000)).error().to_string();
        assert!(long.ends_with("word …") && long.len() < 700, "{long}");
    }

    /// With the real Vagrant, which tests have together with Docker.
    mod with_docker {
        use super::*;

        /// The processes that are in a directory.
        fn count_in(directory: &Path) -> usize {
            let entries = std::fs::read_dir("/proc").unwrap().flatten();
            let places = entries.filter_map(|it| std::fs::read_link(it.path().join("cwd")).ok());
            places.filter(|place| place == directory).count()
        }

        #[tokio::test]
        async fn a_call_that_takes_too_long_is_killed() {
            let root = tempfile::tempdir().unwrap();
            let directory = root.path().canonicalize().unwrap();
            std::fs::write(directory.join("Vagrantfile"), "sleep 300\n").unwrap();
            let mut environment: std::collections::BTreeMap<_, _> = std::env::vars().collect();
            let home = directory.join("home").display().to_string();
            environment.insert("VAGRANT_HOME".to_owned(), home);
            let context = Context { environment, ..Context::default() };

            let limit = Duration::from_millis(500);
            // It is polled after the call, which has started its process by then.
            let look = async { count_in(&directory) };
            let (answer, running) =
                tokio::join!(call(&["status"], &directory, &context, limit), look);
            assert_eq!(running, 1, "the control");
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            let expected = "vagrant status does not end: it was killed after 500ms";
            assert_eq!(error.to_string(), expected);
            while count_in(&directory) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}
