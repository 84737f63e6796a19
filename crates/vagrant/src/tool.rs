//! The program `vagrant`.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use hostlink_core::{Context, Error, ErrorKind, Result};
use hostlink_local::{Program, ProgramError};

use crate::directory::VARIABLE;
use crate::machine_readable;

/// Time limit of one call. One takes 1.2 s with the docker provider; others ask a hypervisor
/// for each machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The maximum size of its output, in bytes: some 20,000 machines.
const MOST: usize = 16 << 20;

/// The maximum number of its lines in an error, and of the characters of these.
const LINES_SHOWN: usize = 8;
const SHOWN: usize = 600;

/// The output of one call, and its exit status.
#[derive(Debug)]
pub(crate) struct Answer {
    command: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    stderr: String,
}

/// Runs `vagrant --machine-readable` with these words in a directory.
///
/// It gets the context's environment without hostlink's secrets, and no input. It leads a session
/// of its own, which is killed as a whole when the call is given up.
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
    let shown = format!("vagrant {}", words.join(" "));
    // It would ask HashiCorp for a newer version of itself.
    let mut program = Program::new("vagrant", &context.environment)
        .without(VARIABLE)
        .env("VAGRANT_CHECKPOINT_DISABLE", "1")
        .args(["--machine-readable"])
        .args(words)
        .directory(directory)
        .limit(limit)
        .max_output(MOST);
    if let Some(home) = context.home.as_ref().filter(|_| !context.environment.contains_key("HOME"))
    {
        program = program.env("HOME", home);
    }
    match program.output().await {
        Ok(written) => Ok(Answer {
            command: shown,
            status: written.status,
            stdout: String::from_utf8_lossy(&written.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&written.stderr).into_owned(),
        }),
        Err(ProgramError::NotStarted(error)) => Err(not_started(&error)),
        Err(ProgramError::TooSlow(limit)) => {
            let message = format!("{shown} does not end: it was killed after {limit:?}");
            Err(Error::new(ErrorKind::Timeout, message))
        }
        Err(problem) => Err(Error::new(ErrorKind::Inventory, format!("{shown} {problem}"))),
    }
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

impl Answer {
    /// Returns whether it succeeded.
    pub(crate) fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Returns whether it met a machine without a login, and stopped there.
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
