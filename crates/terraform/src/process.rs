//! One run of Terraform: its time and its output are bounded, and it does not outlive whoever waits for it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use hostlink_core::{Error, ErrorKind, Result, SECRET_VARIABLES};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// How long one run may take. Reading a state from afar takes seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// The most that is taken of a document, from a program or a file: 64 MiB.
pub(crate) const MOST: usize = 64 << 20;

/// What is kept of standard error, from its end.
const MOST_SAID: usize = 64 << 10;

/// What a program wrote.
struct Written {
    status: ExitStatus,
    document: Vec<u8>,
    said: Vec<u8>,
}

/// Runs `program WORDS` in a directory and returns its standard output.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: it does not start, does not end in time, fails (with what it said), or writes too much.
///
/// # Cancel safety
///
/// When it is dropped, the program and its plugins are killed.
pub(crate) async fn output(
    program: &Path,
    words: &[&str],
    directory: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let name = program.file_name().unwrap_or(program.as_os_str()).display();
    let shown = format!("{}: {name} {}", directory.display(), words.join(" "));
    let failed = |problem: &str| Error::new(ErrorKind::Inventory, format!("{shown} {problem}"));
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir(directory)
        .env_clear()
        .envs(environment.iter().filter(|(key, _)| !SECRET_VARIABLES.contains(&key.as_str())))
        .env("TF_IN_AUTOMATION", "1")
        .env("TF_INPUT", "0");
    let written = match tokio::time::timeout(DEADLINE, run(command)).await {
        Err(_) => return Err(failed(&format!("did not end within {} s", DEADLINE.as_secs()))),
        Ok(Err(error)) => return Err(failed("cannot be run").with_source(error)),
        Ok(Ok(written)) => written,
    };
    if written.document.len() > MOST {
        return Err(failed(&format!("wrote more than {} MiB", MOST >> 20)));
    }
    if !written.status.success() {
        let error = failed(&format!("failed ({})", written.status));
        return Err(error.with_stderr_tail(faults(&written.said).as_bytes()));
    }
    Ok(written.document)
}

async fn run(mut command: Command) -> io::Result<Written> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Plugins are children of the program: they go with its group.
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let stdout = child.stdout.take().expect("it was asked to be a pipe");
    let stderr = child.stderr.take().expect("it was asked to be a pipe");
    let mut group = Group::of(&child);
    let (document, said) = tokio::try_join!(beginning(stdout), end(stderr))?;
    if document.len() > MOST {
        // It may write for ever: it is killed at the end of this function.
        return Ok(Written { status: ExitStatus::default(), document, said });
    }
    let status = child.wait().await?;
    group.is_gone();
    Ok(Written { status, document, said })
}

/// Kills a process group when dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        let pid = leader.id().and_then(|pid| i32::try_from(pid).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    /// The leader has been waited for: from now on its number may be another's.
    fn is_gone(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads to the end, or to one byte more than is taken.
async fn beginning(stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(MOST as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Reads to the end, and keeps what came last.
async fn end(mut stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    while stream.read_buf(&mut kept).await? > 0 {
        if kept.len() > 2 * MOST_SAID {
            kept.drain(..kept.len() - MOST_SAID);
        }
    }
    Ok(kept)
}

/// How many errors of one run are told.
const MOST_FAULTS: usize = 3;

/// How many characters of each.
const FAULT_LENGTH: usize = 400;

/// The errors among what Terraform said, each as one sentence, in one line. What it quotes of the configuration is left out,
/// since that may hold secrets. All of it where there is no error that can be recognised.
fn faults(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut faults: Vec<String> = Vec::new();
    let mut in_error = false;
    for line in
        text.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || "╷│╵".contains(c)))
    {
        if line.starts_with("Error:") {
            faults.push(String::new());
        }
        in_error = line.starts_with("Error:") || (in_error && !line.starts_with("Warning:"));
        if let Some(fault) = faults.last_mut().filter(|_| in_error && !is_quoted(line)) {
            fault.push_str(if fault.is_empty() || line.is_empty() { "" } else { " " });
            fault.push_str(line);
        }
    }
    if faults.is_empty() {
        return text.into_owned();
    }
    let told = faults.iter().take(MOST_FAULTS).map(|fault| shortened(fault));
    let more = faults.len().saturating_sub(MOST_FAULTS);
    let more = (more > 0).then(|| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

/// Whether it is a line of the configuration, as in `  12: password = "x"`.
fn is_quoted(line: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn shortened(fault: &str) -> String {
    match fault.char_indices().nth(FAULT_LENGTH) {
        Some((at, _)) => format!("{} …", fault[..at].trim_end()),
        None => fault.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(script: &str) -> Result<String> {
        let environment = [("PATH", "/usr/bin:/bin"), ("HOSTLINK_SUDO_PASSWORD", "hunter2")];
        let environment = environment.map(|(key, value)| (key.into(), value.into())).into();
        let words = ["-c", script];
        let document = output(Path::new("/bin/sh"), &words, Path::new("/"), &environment).await;
        document.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[tokio::test]
    async fn it_gets_the_environment_it_was_given_without_our_secrets() {
        let variables = said("env; pwd").await.unwrap();
        assert!(variables.contains("PATH=/usr/bin:/bin\n"), "{variables}");
        assert!(variables.contains("TF_IN_AUTOMATION=1\n") && variables.ends_with("/\n"));
        assert!(!variables.contains("hunter2") && !variables.contains("HOME="), "{variables}");
    }

    #[tokio::test]
    async fn what_writes_without_end_is_ended() {
        let error = said("exec yes").await.unwrap_err();
        assert_eq!(error.to_string(), "/: sh -c exec yes wrote more than 64 MiB");
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_standard_error_is_kept() {
        let script = "yes long | head -c 1000000 >&2; echo last >&2; exit 3";
        let error = said(script).await.unwrap_err();
        assert!(error.to_string().ends_with("failed (exit status: 3): last"), "{error}");
    }

    /// A script that has a child, and writes the child's number into the file.
    fn parent(file: &Path) -> String {
        format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait", file.display())
    }

    /// Waits until the child is gone, or nobody has waited for it yet.
    fn await_end(file: &Path) {
        let pid = std::fs::read_to_string(file).unwrap();
        let status = format!("/proc/{}/stat", pid.trim());
        while std::fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z")) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[tokio::test]
    async fn children_end_with_whoever_gave_it_up() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let started = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let script = parent(&file);
        tokio::select! { () = started => {}, ended = said(&script) => panic!("{ended:?}") }
        await_end(&file);
    }

    #[tokio::test]
    async fn what_does_not_end_in_time_is_ended_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let (script, path) = (parent(&file), file.clone());
        let run = tokio::spawn(async move { said(&script).await });
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // From here on, the time that nobody does anything in takes none.
        tokio::time::pause();
        let error = run.await.unwrap().unwrap_err().to_string();
        assert!(error.ends_with("did not end within 60 s"), "{error}");
        await_end(&file);
    }

    #[test]
    fn errors_are_one_line_without_the_configuration() {
        let text = "There are some problems with the CLI configuration:\n╷\n│ Warning: x\n╵\n\n\
                    Error: Invalid expression\n\n  on m.tf line 1, in output \"x\":\n   1: password = \"hunter2\"\n\n\
                    Expected the start\nof an expression.\n╷\n│ Error: Second\n│ \n│ More.\n╵\nWarning: Late\n\nx\n";
        assert_eq!(
            faults(text.as_bytes()),
            "Error: Invalid expression on m.tf line 1, in output \"x\": \
             Expected the start of an expression.; Error: Second More."
        );
        assert_eq!(faults(b"sh: not found\n"), "sh: not found\n");
        let many = faults("Error: x\n".repeat(5).as_bytes());
        assert_eq!(many, "Error: x; Error: x; Error: x; and 2 more");
        let long = faults(format!("Error: {}", "ü".repeat(1000)).as_bytes());
        assert!(long.ends_with("ü …") && long.chars().count() == FAULT_LENGTH + 2, "{long}");
    }
}
