//! A host that is logged in on, and again when the login was lost.
//!
//! # How a host is reached
//!
//! `SshConnector` → `Host` (logs in, and again when the login is lost) → `Transport`, of which
//! there is one: `OpenSsh` over a `Master`. A second transport, in-process, would stand beside it;
//! settings, retries, doors, slots and files belong to the connector.
//!
//! - `master/`: an `ssh -M -N` of our own, as our child, in a session of its own, with a private
//!   directory. `config` writes the configuration that also holds for jump hosts (`-F` reaches
//!   them, `-o` does not), with our defaults last, and in the final pass where the user's files ask
//!   for one (`final_pass`); what is for the target alone stands on the command line. `askpass`
//!   answers questions over FIFOs, each secret to the one process and name that it is for. `log`,
//!   `peers` and `causes` find out from ssh's own messages, which carry the pid, which hop failed
//!   and why.
//! - `run`: one watcher a connector, a `sh` that waits for the end of a pipe. When this process is
//!   gone, however that came, it kills the masters' groups, if they still are who registered, and
//!   removes the directory.
//! - `mux`, `channel`: sessions on the master's socket. The packages `openssh` and
//!   `openssh-mux-client` close their connection to the master with the exit code, whereupon the
//!   master drops output that is still to come (a mebibyte came back 32 KiB short); `openssh` also
//!   turns code 127 into an error, and forwards no agent. `dial` to a TCP port is such a session
//!   too; `openssh` is used for checks, forwards and `dial` to Unix sockets.
//! - `slots`: 8 commands at once on a login, of the 10 sessions that sshd allows, since files take
//!   one and a kill needs one. A refused channel tells how many there are: then so many less one
//!   are used (all, where there are but two), and one more is tried 2 s later, or all after a new
//!   login. A channel counts until ssh has closed it, a moment after its command's end, or the next
//!   would be refused. Kills that find none free log in a second time. On a user's master they
//!   cannot: `reserve` holds a channel with a `cat` for them.
//! - `doors`: 8 logins at once at a first hop, of the 10 that sshd takes before it turns some away.
//! - `sockets`: ssh gets socket pairs for a session's streams, as from scp: a pipe wakes its writer
//!   for each page that becomes free, a socket when most of it has been read.
//! - `sftp/`: clones of a file of `openssh-sftp-client` with offsets of their own, so that many
//!   requests are in flight. What SFTP cannot do exactly as core's scripts do is left to them.
//! - `sftp/direct`: the bytes of a large file pass this process by: ssh's master is handed the
//!   temporary file itself as the standard output of a `cat`. That output has no announcement, so
//!   what proves it whole is the length that SFTP told, with `cat`'s exit code 0; noise of a
//!   start-up file makes it longer, and then the file goes over SFTP. 0.76 of `scp`'s time for a
//!   GiB (`benches/ssh.md`); over SFTP it was 1.2.
//! - `Script`s go as arguments up to 8 KiB there (dropbear takes lines of 9000 bytes), behind an
//!   `exec sh -c` that every login shell reads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostlink_core::{Context, Error, ErrorKind, Event, Result};
use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::doors::Doors;
use crate::master::{Failure as Refusal, Master, Run};
use crate::openssh::OpenSsh;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::transport::Transport;

/// The waits between two tries on a host that turns logins away for their number (`MaxStartups`,
/// sshd_config(5)): the first is at most so long, and later ones at most so long.
const DOOR_WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// In less time, a host that has just turned a login away is not asked again.
const LEAST_TRY: Duration = Duration::from_millis(50);

/// One host, with what it takes to log in on it.
pub(crate) struct Host {
    name: String,
    settings: Settings,
    context: Context,
    run: Run,
    doors: Arc<Doors>,
    login: RwLock<State>,
    /// Held while logging in, so that it is done once for all who wait.
    logging_in: Mutex<Option<Failure>>,
    /// The channels of the login.
    slots: Arc<Slots>,
    /// A second login, for kills on a host whose channels are all in use.
    spare: Mutex<Option<Arc<dyn Transport>>>,
}

/// The last login that failed after one was lost.
struct Failure {
    at: Instant,
    kind: ErrorKind,
    message: String,
}

enum State {
    Open(Arc<dyn Transport>),
    Closed,
}

impl Host {
    /// Logs in.
    ///
    /// # Errors
    ///
    /// What [`Master::start`] could not do, after the retries that the settings ask for.
    pub(crate) async fn connect(
        name: &str,
        settings: Settings,
        context: &Context,
        run: Run,
        doors: Arc<Doors>,
    ) -> Result<Self> {
        let door = Door { name, settings: &settings, context, run: &run, doors: &doors };
        let login = door.log_in().await?;
        // No second login can be made on a master of the user's: there, a channel is kept sooner.
        let spares_from = if settings.control_path.is_some() { 2 } else { 3 };
        Ok(Self {
            slots: Slots::new(spares_from),
            name: name.to_owned(),
            login: RwLock::new(State::Open(login)),
            context: context.clone(),
            settings,
            run,
            doors,
            logging_in: Mutex::default(),
            spare: Mutex::default(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The login as it is.
    ///
    /// # Errors
    ///
    /// It was closed.
    pub(crate) fn login(&self) -> Result<Arc<dyn Transport>> {
        match &*self.login.read() {
            State::Open(login) => Ok(login.clone()),
            State::Closed => Err(Error::new(ErrorKind::LinkLost, "the connection was closed")),
        }
    }

    /// A login that is there: a new one, if the old one was lost.
    ///
    /// # Errors
    ///
    /// The host cannot be reached any more, or the connection was closed.
    ///
    /// # Cancel safety
    ///
    /// A login that was begun is given up.
    pub(crate) async fn live_login(&self) -> Result<Arc<dyn Transport>> {
        self.live_login_for(Instant::now()).await
    }

    /// The same for somebody who has waited since `asked`.
    pub(crate) async fn live_login_for(&self, asked: Instant) -> Result<Arc<dyn Transport>> {
        let login = self.login()?;
        if login.is_alive() {
            return Ok(login);
        }
        let mut failure = self.logging_in.lock().await;
        let login = self.login()?;
        if login.is_alive() {
            return Ok(login);
        }
        // Who waited while somebody else tried in vain does not try again: many waits would follow
        // one another.
        if let Some(Failure { at, kind, message }) = &*failure
            && *at > asked
        {
            return Err(Error::new(*kind, message.clone()));
        }
        // Nothing is left of it but perhaps its process.
        login.close().await;
        self.detail("the connection was lost: logging in again");
        let fresh = match self.door().log_in().await {
            Ok(fresh) => fresh,
            Err(error) => {
                let message = error.message().to_owned();
                *failure = Some(Failure { at: Instant::now(), kind: error.kind(), message });
                return Err(error);
            }
        };
        let mut state = self.login.write();
        if matches!(*state, State::Closed) {
            return Err(Error::new(ErrorKind::LinkLost, "the connection was closed"));
        }
        *state = State::Open(fresh.clone());
        self.slots.renew();
        Ok(fresh)
    }

    /// A second login beside the first, which is kept until the connection is closed.
    pub(crate) async fn spare_login(&self) -> Result<Arc<dyn Transport>> {
        let mut spare = self.spare.lock().await;
        if let Some(login) = spare.as_ref().filter(|login| login.is_alive()) {
            return Ok(login.clone());
        }
        self.detail("no channel is free for a kill: logging in a second time");
        let fresh = self.door().log_in().await?;
        // It may have been closed meanwhile.
        self.login()?;
        *spare = Some(fresh.clone());
        Ok(fresh)
    }

    /// Ends the logins. It may be called twice.
    pub(crate) async fn close(&self) {
        let state = std::mem::replace(&mut *self.login.write(), State::Closed);
        // Whoever is logging in just now finds it closed.
        let spare = self.spare.try_lock().ok().and_then(|mut spare| spare.take());
        if let Some(spare) = spare {
            spare.close().await;
        }
        if let State::Open(login) = state {
            login.close().await;
        }
    }

    fn door(&self) -> Door<'_> {
        let Self { name, settings, context, run, doors, .. } = self;
        Door { name, settings, context, run, doors }
    }

    fn detail(&self, text: &str) {
        self.context.reporter.report(&self.name, Event::Detail(text));
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What one login takes.
struct Door<'a> {
    name: &'a str,
    settings: &'a Settings,
    context: &'a Context,
    run: &'a Run,
    doors: &'a Doors,
}

impl Door<'_> {
    async fn log_in(&self) -> Result<Arc<dyn Transport>> {
        if let Some(path) = &self.settings.control_path {
            return Ok(Arc::new(OpenSsh::attach(path, self.run.make_master_directory()?).await?));
        }
        let mut retries = self.settings.connect_retries;
        loop {
            let failed = match self.attempt().await {
                Ok(login) => return Ok(login),
                Err(failed) => failed,
            };
            if !failed.retryable || retries == 0 {
                return Err(failed.error);
            }
            retries -= 1;
            let message = format!("{}: trying again", failed.error);
            self.context.reporter.report(self.name, Event::Detail(&message));
            let (least, most) = self.settings.retry_delays();
            sleep(least + most.saturating_sub(least).mul_f64(random())).await;
        }
    }

    /// One attempt. A host that turns logins away for their number is asked again until the limit
    /// is over, in which the time at our own door does not count.
    async fn attempt(&self) -> Result<Arc<dyn Transport>, Refusal> {
        let mut rest = self.settings.connect_limit(self.context);
        let (mut longest_wait, mut turned_away) = (DOOR_WAITS.0, None);
        loop {
            let place = self.doors.enter(self.settings).await;
            let started =
                Master::start(self.run, self.settings, self.name, self.context, rest).await;
            drop(place);
            let failed = match started {
                Ok(master) => return Ok(Arc::new(OpenSsh::new(master))),
                Err(failed) => failed,
            };
            if !failed.turned_away {
                // A last try that had little time says less than those before.
                return Err(turned_away.filter(|_| failed.timed_out).unwrap_or(failed));
            }
            rest = rest.saturating_sub(failed.took);
            if rest < LEAST_TRY {
                return Err(failed);
            }
            let wait = longest_wait.min(rest / 2).mul_f64(random());
            sleep(wait).await;
            rest -= wait;
            longest_wait = DOOR_WAITS.1.min(longest_wait * 2);
            turned_away = Some(failed);
        }
    }
}

/// A number from 0 to 1, so that many hosts do not try again at the same moment.
fn random() -> f64 {
    let mut byte = [0];
    // Without randomness the waits are as long as they get.
    if getrandom::fill(&mut byte).is_err() { 1.0 } else { f64::from(byte[0]) / 255.0 }
}
