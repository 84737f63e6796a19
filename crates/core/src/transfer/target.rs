//! Runs the transfer scripts on a target and reads how they went.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncRead;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::apart::{self, Apart};
use super::cleaner::{Cleaner, Removal, after};
use super::failure::failure;
use super::{FileProgram, FileTransfer};
use crate::contract::files::not_passed_on;
use crate::running::run::Attempt;
use crate::running::shared::Shared;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::shell::privilege;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, OutputSink, Stream};
use crate::values::output::RunOptions;
use crate::values::random::random_hex;
use crate::values::stdin::Stdin;

/// How long a transfer may move no byte.
pub const STALL: Duration = Duration::from_secs(120);

/// A path on a target, with what every script for it is run with.
pub(super) struct Remote<'a> {
    pub(super) link: &'a Shared,
    pub(super) path: String,
    arguments: ConnectorArguments,
    /// When the transfer began.
    since: Instant,
    limit: Option<Duration>,
    deadline: Option<Instant>,
    pub(super) random: String,
    /// What runs there for this path.
    running: TaskTracker,
    /// One of its scripts has started.
    started: Arc<AtomicBool>,
    /// The directory that a tree is stored in, which the path starts from.
    pub(super) stage: Option<Stage>,
}

/// A directory on the target that a script has made for a tree.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) path: String,
    /// As in [`Values`](super::target_script::Values).
    pub(super) guarded: bool,
}

impl<'a> Remote<'a> {
    /// # Errors
    ///
    /// The path cannot be one of a file, or the privilege that is asked for cannot be.
    pub(super) fn new(
        link: &'a Shared,
        path: &str,
        arguments: &ConnectorArguments,
    ) -> Result<Self> {
        if path.is_empty() || path.contains('\0') {
            let message = format!("{path:?} is no path on the target");
            return Err(Error::new(ErrorKind::Data, message).with_target(link.name()));
        }
        // Below, all of them are left out but those that say which user it is.
        privilege::check(arguments).map_err(|error| error.with_target(link.name()))?;
        Ok(Self {
            link,
            path: absolute(path, arguments.chdir.as_deref()),
            arguments: ConnectorArguments {
                get_pty: Some(needs_terminal(link, arguments)),
                ..arguments.privilege_only()
            },
            since: Instant::now(),
            limit: arguments.timeout,
            deadline: arguments.timeout.and_then(|limit| Instant::now().checked_add(limit)),
            random: random_hex()?,
            running: TaskTracker::new(),
            started: Arc::default(),
            stage: None,
        })
    }

    /// Work that is not a script, within the same limit of time.
    pub(super) async fn within_limit<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(deadline) = self.deadline else { return work.await };
        tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| {
            let limit = self.limit.unwrap_or_default();
            let message = format!("{} was not transferred within {limit:?}", self.path);
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    /// A transfer in the connection's own way, within the same limit of time. If that is up, it is
    /// waited a little for what the transfer has left to clean up.
    pub(super) async fn fast<T>(
        &self,
        fast: &dyn FileTransfer,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let done = self.within_limit(work).await;
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout) {
            // A disconnect waits for what takes longer.
            let _ = tokio::time::timeout_at(after(self.deadline), fast.settle()).await;
        }
        done
    }

    /// Runs a script and returns what it said; what the script itself found wrong is in there.
    pub(super) async fn run(&self, script: String, input: Option<BoxRead>) -> Result<Said> {
        let mut said = Said::default();
        self.read(script, input, &mut said).await?;
        Ok(said)
    }

    /// The same, with what it says handed to `sink` as it comes.
    pub(super) async fn read(
        &self,
        script: String,
        input: Option<BoxRead>,
        sink: &mut dyn OutputSink,
    ) -> Result<()> {
        if self.arguments.get_pty == Some(true) {
            // Boxed: it is rare, and every transfer would have room for it.
            return Box::pin(self.read_on_terminal(script, input, sink)).await;
        }
        self.attempt(script, input.map(Stdin::reader), sink).await
    }

    /// The same on a terminal, which has one output only.
    async fn read_on_terminal(
        &self,
        script: String,
        input: Option<BoxRead>,
        sink: &mut dyn OutputSink,
    ) -> Result<()> {
        // With an input, even if there is none, the terminal changes nothing.
        let input = input.map_or_else(|| Stdin::bytes(""), Stdin::reader);
        let mut apart = Apart::new(sink, &self.random);
        let script = apart::with_errors_last(&script, &self.random);
        let ended = self.attempt(script, Some(input), &mut apart).await;
        let passed_on = apart.finish().await;
        ended.and(passed_on.map_err(not_passed_on))
    }

    async fn attempt(
        &self,
        script: String,
        stdin: Option<Stdin>,
        sink: &mut dyn OutputSink,
    ) -> Result<()> {
        let arguments = ConnectorArguments { stdin, timeout: self.limit, ..self.arguments.clone() };
        // The script is ours and long: the reporter gets its purpose, not its text.
        let quiet = RunOptions { output_limit: Some(0), ..RunOptions::default() };
        let command = StringCommand::shell(script);
        let attempt = Attempt::new(self.link, &command, &arguments, &quiet, Some(sink));
        let attempt = attempt.with_stall_limit(STALL).tracked_by(&self.running);
        let attempt = attempt.after(self.since.elapsed());
        let started = attempt.begin().await?;
        self.started.store(true, Ordering::Relaxed);
        started.finish().await.map(|_| ())
    }

    /// Returns whether the scripts run with another user's rights.
    pub(super) fn is_privileged(&self) -> bool {
        self.arguments.is_privileged()
    }

    /// The connection's own transfer, which acts as the connecting user.
    pub(super) fn own_transfer(&self) -> Option<&'a dyn FileTransfer> {
        self.link.connection().file_transfer().filter(|_| !self.is_privileged())
    }

    /// Returns whether a single file's bytes are to go through scp.
    pub(super) fn wants_scp(&self) -> bool {
        self.link.connection().features().file_program == FileProgram::Scp && !self.is_privileged()
    }

    /// Returns whether a script must say that it takes the bytes before they are sent, as it must
    /// if its caller `named` the temporary. On a terminal its words come only at the end
    /// ([`Apart`]).
    pub(super) fn input_waits(&self, named: bool) -> bool {
        let is_wanted = named || self.link.connection().features().input_waits;
        is_wanted && self.arguments.get_pty != Some(true)
    }

    /// A temporary's path on the target, from the same directory as the path itself.
    pub(super) fn beside(&self, path: Option<&str>, arguments: &ConnectorArguments) -> String {
        path.map(|path| absolute(path, arguments.chdir.as_deref())).unwrap_or_default()
    }

    /// Another path of the same target, with the same privilege and deadline.
    pub(super) fn at(&self, path: &str) -> Result<Self> {
        Ok(Self {
            link: self.link,
            path: path.to_owned(),
            arguments: self.arguments.clone(),
            since: self.since,
            limit: self.limit,
            deadline: self.deadline,
            random: random_hex()?,
            running: self.running.clone(),
            started: self.started.clone(),
            stage: None,
        })
    }

    /// As [`at`](Self::at), a path in the directory that a tree is stored in.
    pub(super) fn inside(&self, stage: &Stage, name: &str) -> Result<Self> {
        Ok(Self { stage: Some(stage.clone()), ..self.at(&format!("./{name}"))? })
    }

    /// Removes what a script or a transfer made, unless it is disarmed before it is dropped.
    pub(super) fn cleaner(&self, removal: impl Into<Removal>) -> Cleaner {
        let (arguments, running) = (self.arguments.clone(), self.running.clone());
        let cleaner = Cleaner::new(self.link, arguments, self.deadline, removal.into(), running);
        // Nothing was made before the other user's rights were there, and a password is not tried
        // twice.
        match self.is_privileged() {
            true => cleaner.wait_for(self.started.clone()),
            false => cleaner,
        }
    }
}

/// Returns whether the scripts have to run on a terminal: they need one for a tool alone, and get
/// it only where there is no other way.
fn needs_terminal(link: &Shared, arguments: &ConnectorArguments) -> bool {
    arguments.get_pty == Some(true)
        && arguments.is_privileged()
        && !link.connection().features().terminal_beside_pipes
}

/// What a script said: the end of its standard output, where its status is, and the beginning of
/// its errors.
#[derive(Debug, Default)]
pub(super) struct Said {
    output: Vec<u8>,
    errors: Vec<u8>,
}

/// As much of a script's own output as is kept, of each stream.
const KEPT: usize = 64 * 1024;

impl Said {
    /// The words of its last status line.
    pub(super) fn status(&self) -> String {
        status(&self.output).unwrap_or_default()
    }

    /// Returns whether it has said that it made a temporary.
    pub(super) fn has_made(&self) -> bool {
        self.output.starts_with(b"hl made\n")
    }

    /// The error that the status and the tools' messages make.
    pub(super) fn failure(&self, path: &str) -> Error {
        failure(&self.status(), path, &self.errors)
    }
}

#[async_trait]
impl OutputSink for Said {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        match stream {
            Stream::Stdout => {
                self.output.extend_from_slice(bytes);
                let excess = self.output.len().saturating_sub(KEPT);
                self.output.drain(..excess);
            }
            Stream::Stderr => {
                let room = KEPT - self.errors.len();
                self.errors.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        Ok(())
    }
}

/// The path from the root or from the directory that commands start in. None can look like an
/// option of a tool.
fn absolute(path: &str, chdir: Option<&str>) -> String {
    let path = match chdir {
        Some(directory) if !path.starts_with('/') => format!("{directory}/{path}"),
        _ => path.to_owned(),
    };
    let path = if path.starts_with('/') { path } else { format!("./{path}") };
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// The words of a script's last status line, `hl WORD …`.
pub(super) fn status(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let at =
        text.rfind("\nhl ").map(|at| at + 1).or_else(|| text.starts_with("hl ").then_some(0))?;
    Some(text[at + 3..].trim_end_matches('\n').to_owned())
}

/// Counts what is read through it.
pub(super) struct Counting<R> {
    pub(super) inner: R,
    pub(super) count: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counting<R> {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = std::pin::Pin::new(&mut this.inner).poll_read(context, buffer);
        this.count.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_status_line_counts() {
        assert_eq!(status(b"hl stored 5\n").as_deref(), Some("stored 5"));
        assert_eq!(status(b"noise\nhl done\n").as_deref(), Some("done"));
        assert_eq!(status(b"noise hl done\n"), None);
    }

    #[test]
    fn paths_never_look_like_options() {
        assert_eq!(absolute("-x", None), "./-x");
        assert_eq!(absolute("x/", Some("/srv")), "/srv/x");
        assert_eq!(absolute("//", None), "/");
    }
}
