//! Removes what a transfer has begun and not ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::tree_without_shell;
use crate::running::run::urgently;
use crate::running::shared::Shared;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::error::{Error, ErrorKind};

/// How long a clean-up waits for what runs there to end.
const END_LIMIT: Duration = Duration::from_secs(15);

/// How long the removal of a temporary file may take.
pub const CLEAN_LIMIT: Duration = Duration::from_secs(10);

/// How long a transfer that has timed out waits for its clean-up. On a stalled link that is in
/// vain; on a slow one the clean-up goes on in the background.
const GRACE: Duration = Duration::from_millis(800);

/// Removes a temporary file or directory on the target when it is dropped.
pub(super) struct Cleaner {
    link: Shared,
    arguments: ConnectorArguments,
    deadline: Option<Instant>,
    removal: Option<Removal>,
    /// All of them have to be set.
    conditions: Vec<Arc<AtomicBool>>,
    running: TaskTracker,
}

/// How a temporary is removed.
pub(super) enum Removal {
    /// By this script.
    Script(String),
    /// By the connection's own `DirectoryTransfer`: it is this directory.
    Directory(String),
}

impl From<String> for Removal {
    fn from(script: String) -> Self {
        Self::Script(script)
    }
}

impl Cleaner {
    pub(super) fn new(
        link: &Shared,
        arguments: ConnectorArguments,
        deadline: Option<Instant>,
        removal: Removal,
        running: TaskTracker,
    ) -> Self {
        let (link, removal) = (link.clone(), Some(removal));
        Self { link, arguments, deadline, removal, conditions: Vec::new(), running }
    }

    /// Removes nothing unless `condition` is set.
    pub(super) fn wait_for(mut self, condition: Arc<AtomicBool>) -> Self {
        self.conditions.push(condition);
        self
    }

    /// There is nothing left to remove.
    pub(super) fn disarm(&mut self) {
        self.removal = None;
    }

    /// Removes it now, because of `error`. It goes on if the future is dropped.
    pub(super) async fn clean(mut self, error: &Error) {
        let Some(removal) = self.begin() else { return };
        // The error of the transfer is reported, not that of its clean-up.
        if error.kind() == ErrorKind::Timeout && error.kill_confirmed() != Some(true) {
            let _ = tokio::time::timeout_at(after(self.deadline), removal).await;
        } else {
            let _ = removal.await;
        }
    }

    fn begin(&mut self) -> Option<JoinHandle<()>> {
        let removal = self.removal.take()?;
        if self.conditions.iter().any(|condition| !condition.load(Ordering::Relaxed)) {
            return None;
        }
        let removal = remove(self.link.clone(), self.arguments.clone(), removal);
        let running = self.running.clone();
        self.link.in_background(async move {
            // A script that is still being killed could make again what is removed.
            running.close();
            let _ = tokio::time::timeout(END_LIMIT, running.wait()).await;
            removal.await;
        })
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.begin();
    }
}

/// Until when a transfer whose time is up may clean up.
pub(super) fn after(deadline: Option<Instant>) -> Instant {
    deadline.unwrap_or_else(Instant::now) + GRACE
}

async fn remove(link: Shared, arguments: ConnectorArguments, removal: Removal) {
    // On a lost link this fails, and the hidden file stays: there is no way to it.
    match removal {
        Removal::Script(script) => {
            let command = StringCommand::shell(script);
            let _ = urgently(&link, &command, &arguments, CLEAN_LIMIT).await;
        }
        Removal::Directory(path) => {
            let Some(files) = link.connection().file_transfer() else { return };
            // What is still being stored there could not be removed.
            let _ = tokio::time::timeout(END_LIMIT, files.settle()).await;
            if let Ok(Some(directories)) = files.directories().await {
                let removal = tree_without_shell::remove(directories, &path);
                let _ = tokio::time::timeout(CLEAN_LIMIT, removal).await;
            }
        }
    }
}
