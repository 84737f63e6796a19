//! The session that all files of a connection share.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hostlink_core::transfer::CLEAN_LIMIT;
use hostlink_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::session::Session;
use super::{OpenSftp, Policy, Tell};
use crate::transport::Writing;

/// Opens the session when it is needed, and again when it has ended. Remembers if the host has no
/// SFTP.
pub(super) struct Sessions {
    opener: Arc<dyn OpenSftp>,
    policy: Policy,
    limit: Duration,
    tell: Tell,
    slot: Mutex<Option<Opening>>,
    tasks: TaskTracker,
    /// Files no longer come by a command of their own.
    no_direct: CancellationToken,
}

/// The pauses between tries for a channel.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

type Opening = Shared<BoxFuture<'static, Result<Arc<Session>, Absence>>>;

/// Why there is no session.
#[derive(Clone, Debug)]
struct Absence {
    kind: ErrorKind,
    why: Arc<str>,
}

impl Sessions {
    pub(super) fn new(
        opener: Arc<dyn OpenSftp>,
        policy: Policy,
        limit: Duration,
        tell: Tell,
    ) -> Self {
        let tasks = TaskTracker::new();
        // A closed tracker takes tasks too; an open one could not be waited for.
        tasks.close();
        Self {
            opener,
            policy,
            limit,
            tell,
            slot: Mutex::default(),
            tasks,
            no_direct: CancellationToken::new(),
        }
    }

    /// Returns whether files must go through SFTP.
    pub(super) fn insists(&self) -> bool {
        self.policy == Policy::Sftp
    }

    /// As [`OpenSftp::run_into`]; `None` also if files must not come by a command.
    pub(super) async fn run_into(&self, script: &str, output: OwnedFd) -> Result<Option<Writing>> {
        if self.insists() || self.no_direct.is_cancelled() {
            return Ok(None);
        }
        self.opener.run_into(script, output).await
    }

    /// Resolves when files must no longer come by a command of their own.
    pub(super) async fn direct_stopped(&self) {
        self.no_direct.cancelled().await;
    }

    /// From now on, files no longer come by a command, whose channel another command waits for.
    pub(super) fn stop_direct(&self) {
        self.no_direct.cancel();
    }

    /// As [`stop_direct`](Self::stop_direct), since a command's output does not arrive unchanged.
    pub(super) fn is_inexact(&self) {
        self.no_direct.cancel();
        (self.tell)("a command's output is not what it writes there: files go over SFTP alone");
    }

    /// Returns the session; `None` if there is no SFTP, and files may take another route.
    ///
    /// # Errors
    ///
    /// The user asked for SFTP, and the host has none.
    pub(super) async fn session(&self) -> Result<Option<Arc<Session>>> {
        match self.opening().await {
            Ok(session) => Ok(Some(session)),
            Err(Absence { kind, why }) if self.insists() => {
                let message = format!("SFTP was asked for, but is not available: {why}");
                Err(Error::new(kind, message))
            }
            Err(_) => Ok(None),
        }
    }

    /// Returns the opening that is under way or done, or starts one. It continues if its caller is
    /// dropped, so that a server that does not answer costs the time limit once.
    fn opening(&self) -> Opening {
        let mut slot = self.slot.lock();
        if let Some(opening) = slot.as_ref().filter(|opening| !self.is_outdated(opening)) {
            return opening.clone();
        }
        let open = open(self.opener.clone(), self.limit, self.tell.clone(), self.insists());
        let task = AbortOnDropHandle::new(tokio::spawn(open));
        let ending = || Absence { kind: ErrorKind::Transfer, why: "the program is ending".into() };
        let opening = async move { task.await.unwrap_or_else(|_| Err(ending())) }.boxed().shared();
        slot.insert(opening).clone()
    }

    fn is_outdated(&self, opening: &Opening) -> bool {
        match opening.peek() {
            None => false,
            Some(Ok(session)) => session.is_over(),
            Some(Err(absence)) => {
                // The next time, the link may be new, or a channel free.
                self.insists() || matches!(absence.kind, ErrorKind::LinkLost | ErrorKind::Busy)
            }
        }
    }

    /// Runs work that must be done even if its caller is dropped. Without a runtime, at the very
    /// end of a program, it is not run.
    pub(super) fn in_background(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Option<JoinHandle<()>> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(self.tasks.spawn_on(work, &runtime))
    }

    /// Runs work that continues if this future is dropped, since dropping its result closes or
    /// removes what it made. `None` at the very end of a program.
    pub(super) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (mut give, take) = oneshot::channel();
        self.in_background(async move {
            let mut work = pin!(work);
            let late = async {
                give.closed().await;
                tokio::time::sleep(CLEAN_LIMIT).await;
            };
            let done = tokio::select! {
                done = &mut work => done,
                () = late => return,
            };
            let _ = give.send(done);
        });
        take.await.ok()
    }

    /// Waits for all work in the background.
    pub(super) async fn settle(&self) {
        self.tasks.wait().await;
    }

    /// Ends the session if no file uses it.
    pub(super) fn end_if_idle(&self) {
        let mut slot = self.slot.lock();
        let opened = slot.as_ref().and_then(|opening| opening.peek());
        if let Some(Ok(session)) = opened
            && Arc::strong_count(session) == 1
        {
            session.end();
            *slot = None;
        }
    }

    /// Ends the session. The next file would open a new one.
    pub(super) fn end(&self) {
        let opening = self.slot.lock().take();
        if let Some(Ok(session)) = opening.as_ref().and_then(|opening| opening.peek()) {
            session.end();
        }
    }
}

async fn open(
    opener: Arc<dyn OpenSftp>,
    limit: Duration,
    tell: Tell,
    insists: bool,
) -> Result<Arc<Session>, Absence> {
    let mut busy = None;
    let open = async {
        let mut pause = FIRST_PAUSE;
        let subsystem = loop {
            let absence = match opener.open().await {
                Ok(subsystem) => break subsystem,
                Err(error) => Absence { kind: error.kind(), why: error.to_string().into() },
            };
            if !insists || absence.kind != ErrorKind::Busy {
                return Err(absence);
            }
            // There is no other route, and a command will give its channel back.
            busy = Some(absence);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        let unsupported = |why: String| Absence { kind: ErrorKind::Unsupported, why: why.into() };
        Session::open(subsystem).await.map_err(unsupported)
    };
    let opened = tokio::time::timeout(limit, open).await;
    let opened = opened.unwrap_or_else(|_| {
        let why = || format!("the server did not answer in {} s", limit.as_secs_f32());
        Err(busy.unwrap_or_else(|| Absence { kind: ErrorKind::Timeout, why: why().into() }))
    });
    if let Err(absence) = &opened
        && !insists
    {
        tell(&format!("no SFTP there ({}): files go through a command", absence.why));
    }
    opened
}
