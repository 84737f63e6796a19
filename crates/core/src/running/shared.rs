//! What the clones of a link share: the connection, and what was learned about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::contract::connection::{Connection, Outcome};
use crate::contract::context::Context;
use crate::running::handshake::is_refused_password;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::output::CommandOutput;
use crate::values::report::Event;
use crate::values::secret::Secret;

/// The state of a link. Clones share it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

/// Runs the command of a kill, within a time limit. A kill is part of how commands run, and needs
/// to run one itself: the link, which knows both, says how.
pub(crate) type RunUrgently = for<'a> fn(
    &'a Shared,
    &'a StringCommand,
    &'a ConnectorArguments,
    Duration,
) -> BoxFuture<'a, Result<CommandOutput>>;

struct Inner {
    connection: Box<dyn Connection>,
    /// The link that the connection was opened through. It is closed after it.
    outer: Option<Shared>,
    name: String,
    context: Context,
    run_urgently: RunUrgently,
    background: TaskTracker,
    sudo_password: OnceCell<Secret>,
    /// That one was refused.
    is_refused: AtomicBool,
    has_told_of_scp: AtomicBool,
    /// sudo has refused to run without a terminal here.
    wants_terminal: AtomicBool,
    /// Something that ran here, or on a connection through it, was not successful.
    has_failed: AtomicBool,
}

/// The question by which a [`Prompter`](crate::Prompter) is asked for sudo's password.
pub const SUDO_QUESTION: &str = "the password for sudo";

impl Shared {
    pub(crate) fn new(
        outer: Option<Self>,
        connection: Box<dyn Connection>,
        name: String,
        context: Context,
        run_urgently: RunUrgently,
    ) -> Self {
        Self(Arc::new(Inner {
            connection,
            outer,
            name,
            context,
            run_urgently,
            background: TaskTracker::new(),
            sudo_password: OnceCell::new(),
            is_refused: AtomicBool::new(false),
            has_told_of_scp: AtomicBool::new(false),
            wants_terminal: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }))
    }

    /// The target's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn connection(&self) -> &dyn Connection {
        &*self.0.connection
    }

    /// Returns the link that the connection was opened through.
    pub(crate) fn outer(&self) -> Option<&Self> {
        self.0.outer.as_ref()
    }

    /// The kills and clean-ups that are under way.
    pub(crate) fn background(&self) -> &TaskTracker {
        &self.0.background
    }

    /// Runs the command of a kill.
    pub(crate) async fn run_urgently(
        &self,
        command: &StringCommand,
        arguments: &ConnectorArguments,
        limit: Duration,
    ) -> Result<CommandOutput> {
        (self.0.run_urgently)(self, command, arguments, limit).await
    }

    /// Returns the outcome of everything that ran here.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.0.has_failed.load(Ordering::Relaxed) {
            true => Outcome::Failure,
            false => Outcome::Success,
        }
    }

    /// Does `work`, and notes if it fails, is dropped, or its result is not `good`. An error gets
    /// the target's name.
    ///
    /// The work is boxed: its state takes tens of kilobytes, and would be in that of every caller.
    pub(crate) fn noting_failure<T>(
        &self,
        work: impl Future<Output = Result<T>>,
        good: impl FnOnce(&T) -> bool,
    ) -> impl Future<Output = Result<T>> {
        let work = Box::pin(work);
        async move {
            let mut noting = NotingFailure { link: self, failed: true };
            let done = work.await;
            noting.failed = !done.as_ref().is_ok_and(good);
            done.map_err(|error| error.with_target(self.name()))
        }
    }

    pub(crate) fn report(&self, event: Event<'_>) {
        self.0.context.reporter.report(self.name(), event);
    }

    /// Returns whether a tool gets a terminal beside the streams of its command.
    pub(crate) fn wants_terminal(&self) -> bool {
        self.0.wants_terminal.load(Ordering::Relaxed)
    }

    /// From now on tools get one.
    pub(crate) fn give_terminals(&self) {
        self.0.wants_terminal.store(true, Ordering::Relaxed);
    }

    /// Says once that scp was wanted, and is not there.
    pub(crate) fn tell_of_missing_scp(&self) {
        if !self.0.has_told_of_scp.swap(true, Ordering::Relaxed) {
            self.report(Event::Detail("no scp there: files go through cat"));
        }
    }

    /// sudo's password, where it was not given, and is wanted before sudo asks or has been typed
    /// already.
    pub(crate) async fn ask_for_password(
        &self,
        arguments: &ConnectorArguments,
    ) -> Result<Option<Secret>> {
        let asks = arguments.use_sudo_password == Some(true) || self.0.sudo_password.initialized();
        if !asks || arguments.sudo != Some(true) || arguments.sudo_password.is_some() {
            return Ok(None);
        }
        self.sudo_password().await.map(Some)
    }

    /// Remembers that sudo did not take the password that was typed: an account may be locked after
    /// a few tries.
    pub(crate) fn note_refusal(&self, password: Option<&Secret>, error: &Error) {
        let is_typed = password.is_some() && password == self.0.sudo_password.get();
        if is_typed && is_refused_password(error) {
            self.0.is_refused.store(true, Ordering::Relaxed);
        }
    }

    /// sudo's password. The prompter is asked once for each link.
    pub(crate) async fn sudo_password(&self) -> Result<Secret> {
        if self.0.is_refused.load(Ordering::Relaxed) {
            let message =
                "the password that was typed for sudo was refused, and is not tried again";
            return Err(Error::new(ErrorKind::Privilege, message));
        }
        let ask = || self.0.context.prompter.ask_secret(self.name(), SUDO_QUESTION);
        let answer = self.0.sudo_password.get_or_try_init(ask).await;
        answer.cloned().map_err(|error| error.with_kind(ErrorKind::Privilege))
    }

    /// Runs a kill or a clean-up that [`Link::disconnect`](crate::Link::disconnect) waits for.
    /// Without a runtime, at the very end of a program, it is not run.
    pub(crate) fn in_background<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(self.0.background.spawn_on(work, &runtime))
    }
}

/// Notes a failure when it is dropped.
struct NotingFailure<'a> {
    link: &'a Shared,
    failed: bool,
}

impl Drop for NotingFailure<'_> {
    fn drop(&mut self) {
        // A failure on a target is a failure on those that it is reached through as well.
        let mut concerned = self.failed.then_some(self.link);
        while let Some(link) = concerned {
            link.0.has_failed.store(true, Ordering::Relaxed);
            concerned = link.0.outer.as_ref();
        }
    }
}
