//! The end of a command in a container.
//!
//! The engine does not report the end of a command, so it is polled. A command's stream may end
//! before the command, with it, or long after it, if a background process holds it open.

use std::time::Duration;

use futures::future::BoxFuture;
use hostlink_core::{Error, ErrorKind, ExitStatus, Result};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::Exec;
use crate::container::{self, Container};
use crate::engine::{CALL_LIMIT, status};

/// The pauses between two polls, the first and the longest: while there is output, and once it has
/// ended.
const WHILE_OPEN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
const ONCE_OVER: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// The pause before the second try after an engine did not answer.
const SECOND_TRY: Duration = Duration::from_millis(200);

/// How long an engine may report a container as running whose processes are gone, and how often to
/// check.
const END_LIMIT: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The exit code after `kill -KILL`, and after the end of a command's container.
const KILLED: i64 = 137;

/// The exit code of a command that the engine could not start because the container was ending. The
/// output has the reason.
const NOT_STARTED: i64 = 126;

/// Waits until the command has ended. `over` resolves when its output has.
pub(super) fn ended(
    exec: Exec,
    over: oneshot::Receiver<()>,
) -> BoxFuture<'static, Result<ExitStatus>> {
    let known = exec.container.known_life();
    Box::pin(async move {
        let mut life = known.clone();
        match exec.code(over, &mut life).await? {
            KILLED => exec.check_container(life).await.map(|()| KILLED),
            // What never ran has run in no life: the container may have got a new one meanwhile.
            NOT_STARTED => exec.check_container(known).await.map(|()| NOT_STARTED),
            code => Ok(code),
        }
        .map(|code| ExitStatus::Code(i32::try_from(code).unwrap_or(255)))
    })
}

impl Exec {
    /// Returns the exit code. Sets `life` to the container's life in which the command runs; for a
    /// very short command, that is the known one.
    async fn code(
        &self,
        mut over: oneshot::Receiver<()>,
        life: &mut Option<String>,
    ) -> Result<i64> {
        let ((mut wait, mut longest), mut is_over) = (WHILE_OPEN, false);
        let mut is_seen = false;
        loop {
            let mut now = None;
            tokio::select! {
                _ = &mut over, if !is_over => {
                    is_over = true;
                    (wait, longest) = ONCE_OVER;
                }
                () = sleep(wait) => {
                    if !is_seen && wait >= WHILE_OPEN.0 {
                        now = self.container.life().await;
                    }
                    wait = longest.min(wait * 2);
                }
            }
            let state = self.inspect_retrying().await?;
            // A command that has not started yet has no code.
            if state["Running"] == json!(false)
                && let Some(code) = state["ExitCode"].as_i64()
            {
                return Ok(code);
            }
            // No command outlives its container, so a running one has run in that life.
            if now.is_some() {
                (*life, is_seen) = (now, true);
            }
        }
    }

    async fn inspect_retrying(&self) -> Result<Value> {
        let error = match self.inspect().await {
            Ok(state) => return Ok(state),
            Err(error) => error,
        };
        if status(&error) == Some(404) {
            return Err(self.lost().await);
        }
        // An engine may close an idle connection just when it is used again.
        sleep(SECOND_TRY).await;
        match self.inspect().await {
            Ok(state) => Ok(state),
            Err(error) if status(&error) == Some(404) => Err(self.lost().await),
            Err(error) => Err(self.engine().does_not_answer(error)),
        }
    }

    async fn lost(&self) -> Error {
        let became = describe_end(&self.container).await;
        let shown = &self.container.shown;
        let message = became.unwrap_or_else(|| format!("the container {shown} was restarted"));
        Error::new(ErrorKind::LinkLost, format!("{message} while the command ran"))
    }

    /// Distinguishes a killed command from a killed container: no process in a container outlives
    /// its first one. The engine may still report an ending container as running, so another
    /// command has to run in it.
    async fn check_container(&self, life: Option<String>) -> Result<()> {
        let lost = |what: String| {
            Err(Error::new(ErrorKind::LinkLost, format!("{what} while the command ran")))
        };
        if self.answers().await {
            if life.is_some() && life != self.container.life().await {
                return lost(format!("the container {} was restarted", self.container.shown));
            }
            return Ok(());
        }
        let deadline = Instant::now() + END_LIMIT;
        while Instant::now() < deadline {
            if let Some(gone) = describe_end(&self.container).await {
                return lost(gone);
            }
            sleep(BETWEEN_LOOKS).await;
        }
        // It runs, but starts no command: it is full, or its `sh` is gone.
        Ok(())
    }

    /// Returns whether a command can run in the container.
    async fn answers(&self) -> bool {
        let path = format!("/containers/{}/exec", self.container.id);
        let body = json!({ "Cmd": ["sh", "-c", ":"] });
        let Ok(created) = self.engine().post(&path, &body, CALL_LIMIT).await else { return false };
        let Some(id) = created["Id"].as_str() else { return false };
        let start = format!("/exec/{id}/start");
        let detached = json!({ "Detach": true });
        self.engine().post(&start, &detached, CALL_LIMIT).await.is_ok()
    }
}

/// Returns what happened to a container that does not run; `None` if it runs, or if that is
/// unknown.
pub(super) async fn describe_end(container: &Container) -> Option<String> {
    let shown = &container.shown;
    match container.engine.container(&container.id).await {
        Ok(found) if container::is(&found, |state| state.paused) => {
            Some(format!("the container {shown} was paused"))
        }
        Ok(found) if container::is(&found, |state| state.running) => None,
        Ok(found) => {
            let code = found.state.and_then(|state| state.exit_code).unwrap_or_default();
            Some(format!("the container {shown} ended (exit code {code})"))
        }
        Err(error) if status(&error) == Some(404) => {
            Some(format!("the container {shown} was removed"))
        }
        Err(_) => Some(format!("the engine of the container {shown} is gone")),
    }
}
