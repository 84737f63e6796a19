//! Logs in on a host, and again when the login is lost.
//!
//! # How a host is reached
//!
//! `SshConnector` → `Host` → `Transport`. The only transport is `OpenSsh`, over a `Master`.
//! Settings, retries, login limits, slots and files do not depend on it.
//!
//! - `master/`: a child process `ssh -M -N` with its own session and a private directory. `config`
//!   writes the configuration that also holds for jump hosts (`-F` reaches them, `-o` does not).
//!   Our defaults come last, or in the final pass if the user's files ask for one (`final_pass`).
//!   Settings of the target alone are arguments. `askpass` answers questions over FIFOs, and gives
//!   each secret only to the process and the name that it is for. `log`, `peers` and `causes` read
//!   ssh's messages, which carry the pid, to find out which hop failed and why.
//! - `run`: one watcher for each connector, a `sh` that waits for the end of a pipe. When this
//!   process is gone, even killed, it kills the masters' process groups, unless another process has
//!   their number now, and removes the directory.
//! - `mux`, `channel`: sessions on the master's socket, and `dial` to TCP ports. The package
//!   `openssh` does checks, forwards and `dial` to Unix sockets.
//! - `slots`: 8 commands at the same time on a login, of the 10 sessions that sshd allows: files
//!   take one, and a kill needs one. When a host refuses a channel, the number of its channels is
//!   known. From then on, all but one are used (or both of two). One more is tried 2 s later, and
//!   all after a new login. A channel counts until ssh has closed it, a moment after its command's
//!   end, or the next would be refused. A kill that finds none free logs in a second time. That is
//!   not possible on a master of the user's, so `reserve` holds a channel for kills with a `cat`.
//! - `login_limit`: 8 logins at the same time at a first hop. sshd takes 10 before it refuses some.
//! - `sockets`: ssh gets socket pairs for a session's streams, as from scp. A pipe wakes its writer
//!   for each page that becomes free, a socket only when most of it has been read.
//! - `sftp/`: files over SFTP, and large ones by `sftp/direct`, which passes the temporary file
//!   itself to ssh's master as the standard output of a `cat`: 0.76 of `scp`'s time for a GiB, and
//!   over SFTP 1.2 (`benches/ssh.md`).
//! - A `Script` of up to 8 KiB is an argument there (dropbear takes lines of 9000 bytes), after an
//!   `exec sh -c` that every login shell understands.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostlink_core::{Context, Error, ErrorKind, Event, Result};
use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::login_limit::LoginLimit;
use crate::master::{Failure as Refusal, Master, Run};
use crate::openssh::OpenSsh;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::transport::Transport;

/// The maximum of the first wait, and of later ones, before another try on a host that refuses
/// logins because it has too many (`MaxStartups`, sshd_config(5)).
const REFUSED_WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// The shortest time for another try on a host that has refused a login.
const LEAST_TRY: Duration = Duration::from_millis(50);

/// One host, with what it takes to log in on it.
pub(crate) struct Host {
    name: String,
    settings: Settings,
    context: Context,
    run: Run,
    login_limit: Arc<LoginLimit>,
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
        login_limit: Arc<LoginLimit>,
    ) -> Result<Self> {
        let attempts =
            Attempts { name, settings: &settings, context, run: &run, login_limit: &login_limit };
        let login = attempts.log_in().await?;
        // On a master of the user's, which gives no second login, a channel is kept sooner.
        let spares_from = if settings.control_path.is_some() { 2 } else { 3 };
        Ok(Self {
            slots: Slots::new(spares_from),
            name: name.to_owned(),
            login: RwLock::new(State::Open(login)),
            context: context.clone(),
            settings,
            run,
            login_limit,
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

    /// Returns the current login, which may be lost.
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

    /// Returns a login that is alive: a new one, if the old one was lost.
    ///
    /// # Errors
    ///
    /// The host can no longer be reached, or the connection was closed.
    ///
    /// # Cancel safety
    ///
    /// A login that has started is dropped.
    pub(crate) async fn live_login(&self) -> Result<Arc<dyn Transport>> {
        self.live_login_for(Instant::now()).await
    }

    /// As [`live_login`](Self::live_login), for a caller that has waited since `asked`.
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
        // A caller that waited while another one failed does not try again: the waits of many
        // callers would add up.
        if let Some(Failure { at, kind, message }) = &*failure
            && *at > asked
        {
            return Err(Error::new(*kind, message.clone()));
        }
        // Its process may still be there.
        login.close().await;
        self.detail("the connection was lost: logging in again");
        let fresh = match self.attempts().log_in().await {
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

    /// Returns a second login, which is kept until the connection is closed.
    pub(crate) async fn spare_login(&self) -> Result<Arc<dyn Transport>> {
        let mut spare = self.spare.lock().await;
        if let Some(login) = spare.as_ref().filter(|login| login.is_alive()) {
            return Ok(login.clone());
        }
        self.detail("no channel is free for a kill: logging in a second time");
        let fresh = self.attempts().log_in().await?;
        // It may have been closed meanwhile.
        self.login()?;
        *spare = Some(fresh.clone());
        Ok(fresh)
    }

    /// Ends the logins. It may be called twice.
    pub(crate) async fn close(&self) {
        let state = std::mem::replace(&mut *self.login.write(), State::Closed);
        // A caller that is logging in now will find it closed.
        let spare = self.spare.try_lock().ok().and_then(|mut spare| spare.take());
        if let Some(spare) = spare {
            spare.close().await;
        }
        if let State::Open(login) = state {
            login.close().await;
        }
    }

    fn attempts(&self) -> Attempts<'_> {
        let Self { name, settings, context, run, login_limit, .. } = self;
        Attempts { name, settings, context, run, login_limit }
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

/// Attempts to log in on a host.
struct Attempts<'a> {
    name: &'a str,
    settings: &'a Settings,
    context: &'a Context,
    run: &'a Run,
    login_limit: &'a LoginLimit,
}

impl Attempts<'_> {
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

    /// Makes one attempt. A host that refuses logins because it has too many is asked again until
    /// the limit is over. Waiting for our own limit of logins does not count.
    async fn attempt(&self) -> Result<Arc<dyn Transport>, Refusal> {
        let mut rest = self.settings.connect_limit(self.context);
        let (mut longest_wait, mut turned_away) = (REFUSED_WAITS.0, None);
        loop {
            let permit = self.login_limit.acquire(self.settings).await;
            let started =
                Master::start(self.run, self.settings, self.name, self.context, rest).await;
            drop(permit);
            let failed = match started {
                Ok(master) => return Ok(Arc::new(OpenSsh::new(master))),
                Err(failed) => failed,
            };
            if !failed.turned_away {
                // A last try that had little time reports less than those before.
                return Err(turned_away.filter(|_| failed.timed_out).unwrap_or(failed));
            }
            rest = rest.saturating_sub(failed.took);
            if rest < LEAST_TRY {
                return Err(failed);
            }
            let wait = longest_wait.min(rest / 2).mul_f64(random());
            sleep(wait).await;
            rest -= wait;
            longest_wait = REFUSED_WAITS.1.min(longest_wait * 2);
            turned_away = Some(failed);
        }
    }
}

/// Returns a number from 0 to 1, so that many hosts do not try again at the same moment.
fn random() -> f64 {
    let mut byte = [0];
    // Without random numbers, the waits are the longest.
    if getrandom::fill(&mut byte).is_err() { 1.0 } else { f64::from(byte[0]) / 255.0 }
}
