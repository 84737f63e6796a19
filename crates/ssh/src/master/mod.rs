//! Our own OpenSSH master: one login, whose control socket carries everything else.
//!
//! A master is an `ssh -M -N` in the foreground with its own session. It ends with
//! [`Master::close`], when the [`Master`] is dropped, or, by the watcher of [`Run`], when this
//! process is gone.

mod answers;
mod askpass;
mod base;
mod causes;
mod config;
mod errors;
mod factors;
mod final_pass;
mod group;
mod known_hosts;
mod log;
mod peers;
mod run;
mod start;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hostlink_core::{Context, Error, Event};
use parking_lot::Mutex;
use process_wrap::tokio::ChildWrapper;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::settings::Settings;

use self::askpass::Askpass;
pub(crate) use self::errors::Failure;
use self::group::Group;
use self::known_hosts::Unkept;
use self::log::Log;
pub(crate) use self::run::{MasterDirectory, Run, WeakRun};
use self::start::Start;

/// Time limit for the end of a killed process. A busy machine may take seconds to end it.
const KILL_LIMIT: Duration = Duration::from_secs(30);

/// Time limit for the rest of the output of an ssh that has ended. A proxy may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A login that is up.
///
/// Dropping it kills ssh and all that it has started, and removes its directory.
#[derive(Debug)]
pub(crate) struct Master {
    directory: MasterDirectory,
    group: Arc<Group>,
    log: Arc<Mutex<Log>>,
    exit: watch::Receiver<Option<Exit>>,
    askpass: AbortHandle,
}

/// The end of ssh: its exit code, unless a signal ended it.
#[derive(Clone, Copy, Debug)]
struct Exit {
    code: Option<i32>,
}

impl Master {
    /// Logs in. `target` is the host's name, for questions to the user.
    ///
    /// The limit is for all hops together. Time that a user takes to answer does not count.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`], `Auth`, `HostKey` or `Connect`, and whether another try may help.
    /// Nothing is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves neither a process nor a file.
    pub(crate) async fn start(
        run: &Run,
        settings: &Settings,
        target: &str,
        context: &Context,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let start = Start::new(run, settings, target, context, limit);
        let started = start.run().await;
        started.map_err(|failure| Failure { took: start.took(), ..failure.named(target) })
    }

    /// Returns the path of the control socket.
    pub(crate) fn control_path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// Returns the private directory, for sockets of forwards. It is removed with the master.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Returns whether ssh is running. It ends within `ssh_server_alive_interval` if the link
    /// stalls.
    pub(crate) fn is_alive(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits until ssh has ended, and returns why, as an error of kind [`ErrorKind::LinkLost`].
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub(crate) async fn ended(&self) -> Error {
        let exit = self.exited().await;
        errors::of_lost_link(&self.log.lock(), exit.code)
    }

    /// Ends the login, and waits for the end, with a limit. It may be called twice.
    ///
    /// A killed process does nothing more, even if the system ends it late. That is not a failure
    /// of the commands that used it.
    pub(crate) async fn close(&self) {
        self.kill();
        let _late = tokio::time::timeout(KILL_LIMIT, self.exited()).await;
        self.directory.remove();
    }

    fn kill(&self) {
        self.askpass.abort();
        self.group.kill();
    }

    async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        // The sender sends nothing only if the runtime has shut down.
        exit.wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| *exit)
            .unwrap_or(Exit { code: None })
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the tasks that serve a started ssh.
fn watch_over(
    mut child: Box<dyn ChildWrapper>,
    group: Group,
    directory: MasterDirectory,
    askpass: Askpass,
) -> Master {
    let group = Arc::new(group);
    let log = Arc::new(Mutex::new(Log::default()));
    let (ended, exit) = watch::channel(None);
    let stderr = child.stderr().take().expect("stderr was asked to be a pipe");
    let messages = Messages {
        log: log.clone(),
        target: askpass.target.clone(),
        context: askpass.context.clone(),
        master: group.pid(),
        unkept: Unkept::new(&askpass.target, &askpass.context),
    };
    let askpass = tokio::spawn(askpass.serve()).abort_handle();
    tokio::spawn(supervise(child, stderr, group.clone(), messages, ended));
    Master { directory, group, log, exit, askpass }
}

/// Reads ssh's messages, waits for its end and reaps it.
async fn supervise(
    mut child: Box<dyn ChildWrapper>,
    stderr: impl AsyncRead + Unpin,
    group: Arc<Group>,
    mut messages: Messages,
    ended: watch::Sender<Option<Exit>>,
) {
    let log = messages.log.clone();
    let read = messages.read_all(stderr);
    tokio::pin!(read);
    let status = tokio::select! {
        status = child.wait() => {
            group.end();
            let _held_open = tokio::time::timeout(LAST_WORDS, read).await;
            status
        }
        () = &mut read => child.wait().await,
    };
    group.end();
    log.lock().end_line();
    let code = status.ok().and_then(|status| status.code());
    ended.send_replace(Some(Exit { code }));
}

/// ssh's messages, and the warnings about them.
struct Messages {
    log: Arc<Mutex<Log>>,
    target: String,
    context: Context,
    /// The process id of the target's ssh.
    master: Option<i32>,
    unkept: Unkept,
}

impl Messages {
    async fn read_all(&mut self, mut stderr: impl AsyncRead + Unpin) {
        let mut bytes = vec![0; 4096];
        loop {
            match stderr.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(length) => self.log.lock().push(&bytes[..length]),
            }
            self.report();
            self.unkept.warn(&self.log, self.master);
        }
    }

    /// Reports what ssh says, and the steps of the login among it.
    fn report(&self) {
        let lines = self.log.lock().take_fresh();
        for line in &lines {
            let event = match line.is_step() {
                true => Event::Detail(&line.text),
                false => Event::Program(&line.text),
            };
            self.context.reporter.report(&self.target, event);
        }
    }
}
