//! Child processes, each the leader of its own session.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::streams::{chunks, until_hang_up};
use hostlink_core::{
    Chunk, Error, ErrorKind, ExitStatus, Process, Result, SECRET_VARIABLES, Script, Stream,
    TerminalSize,
};
use process_wrap::tokio::{CommandWrap, ProcessSession};
use tokio::process::{ChildStderr, ChildStdout};

use crate::control::Control;

/// Starts `sh` on three pipes.
///
/// It gets its own session, not only a process group: a group that is not the terminal's foreground
/// one is stopped when it touches `/dev/tty` (SIGTTIN, SIGTTOU; credentials(7)), while a session
/// without a terminal cannot even open it.
pub(crate) fn on_pipes(script: &Script) -> Result<Process> {
    let mut command = CommandWrap::with_new("sh", |command| {
        command.arg("-c").arg(OsStr::from_bytes(script.argument()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
    });
    let spawned = command.wrap(ProcessSession).spawn().map_err(not_started)?;
    // The wrapper would also wait for the command's background processes, if they become our
    // children (as PID 1).
    let mut child = spawned.into_inner();
    let stdin = child.stdin().take().expect("stdin is a pipe");
    let output = output(child.stdout().take(), child.stderr().take());
    let reaped = Arc::new(AtomicBool::new(false));
    Ok(Process {
        stdin: Some(Box::pin(stdin)),
        output,
        control: Box::new(Control::new(script, child.id(), reaped.clone(), None)),
        terminal: None,
        exit: Box::pin(async move { ended(child.wait().await, &reaped) }),
    })
}

/// Starts `sh` on three pipes, with a pseudo-terminal as its controlling terminal.
pub(crate) fn on_pipes_beside_terminal(script: &Script) -> Result<Process> {
    let (pty, pts) = pty_process::open().map_err(no_terminal)?;
    let command = shell(script).stdin(Stdio::piped());
    let mut command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Closing our end would be a hang-up, and reading an end whose other end is not open is an
    // error.
    let ours = pty.as_fd().try_clone_to_owned().map_err(|error| no_terminal(error.into()))?;
    let spawned = command.spawn_borrowed(&pts);
    let mut child = spawned.map_err(|error| not_started(io::Error::other(error)))?;
    let stdin = child.stdin.take().expect("stdin is a pipe");
    let output = output(child.stdout.take(), child.stderr.take());
    let reaped = Arc::new(AtomicBool::new(false));
    Ok(Process {
        stdin: Some(Box::pin(stdin)),
        output,
        control: Box::new(Control::new(script, child.id(), reaped.clone(), None)),
        terminal: Some(Box::new(pty)),
        exit: Box::pin(async move {
            let status = ended(child.wait().await, &reaped);
            drop((ours, pts));
            status
        }),
    })
}

/// Starts `sh` on a pseudo-terminal, which is its controlling terminal.
pub(crate) fn on_terminal(script: &Script, size: TerminalSize) -> Result<Process> {
    let (pty, pts) = pty_process::open().map_err(no_terminal)?;
    pty.resize(pty_process::Size::new(size.rows, size.columns)).map_err(no_terminal)?;
    let window = pty.as_fd().try_clone_to_owned().map_err(|error| no_terminal(error.into()))?;
    let mut child =
        shell(script).spawn(pts).map_err(|error| not_started(io::Error::other(error)))?;
    let reaped = Arc::new(AtomicBool::new(false));
    let (reader, writer) = pty.into_split();
    Ok(Process {
        stdin: Some(Box::pin(writer)),
        output: until_hang_up(reader),
        control: Box::new(Control::new(script, child.id(), reaped.clone(), Some(window))),
        terminal: None,
        exit: Box::pin(async move { ended(child.wait().await, &reaped) }),
    })
}

/// Returns the command for a script on a pseudo-terminal.
fn shell(script: &Script) -> pty_process::Command {
    let shell = pty_process::Command::new("sh").arg("-c");
    let shell = shell.arg(OsStr::from_bytes(script.argument()));
    SECRET_VARIABLES.iter().fold(shell, |shell, name| shell.env_remove(name))
}

/// Reads both outputs, which are pipes.
fn output(
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
) -> BoxStream<'static, io::Result<Chunk>> {
    let stdout = chunks(Stream::Stdout, stdout.expect("stdout is a pipe"));
    let stderr = chunks(Stream::Stderr, stderr.expect("stderr is a pipe"));
    stream::select(stdout, stderr).boxed()
}

fn no_terminal(error: pty_process::Error) -> Error {
    Error::new(ErrorKind::Connect, "cannot open a pseudo-terminal").with_source(error)
}

fn not_started(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("cannot start sh: {error}")).with_source(error)
}

fn ended(waited: io::Result<std::process::ExitStatus>, reaped: &AtomicBool) -> Result<ExitStatus> {
    reaped.store(true, Ordering::Relaxed);
    let status = waited.map_err(|error| {
        Error::new(ErrorKind::LinkLost, "the child process cannot be waited for").with_source(error)
    })?;
    Ok(match status.code() {
        Some(code) => ExitStatus::Code(code),
        None => ExitStatus::Signal(status.signal().unwrap_or(0)),
    })
}
