//! Ends everything that a command started, even if the caller does not wait for it.
//!
//! # Which processes are killed, and when
//!
//! A command that ends by itself is not killed: its output is read until it closes, or until 2 s of
//! silence if a process that it left running holds it open. A timeout, a sink that fails, or a
//! dropped future ends it by force. `ProcessControl::kill` ends what the connection itself can end
//! and returns which group that was. If that is not the group that announced itself, `kill -KILL
//! -GROUP` is sent through the link with the same privilege. A leader with another start time is a
//! later process with the same pid, and is left alone. After a drop, the kill runs in the
//! background, and `disconnect` waits for it.
//!
//! On a terminal with a user, the group is not enough: a shell with job control puts each job into
//! a group of its own. There, every process of the session that announced itself is killed, found
//! in `/proc/PID/stat`. Without /proc it is the group, and the hang-up of the terminal.
//!
//! A command may be cancelled before it has announced itself, when the group is not known yet.
//! `Ending` then listens for 10 s at most, and kills when it is announced. So a start is never
//! interrupted (`Start` spawns in a task of its own); the part that may take long, waiting for a
//! free channel, is `Connection::slot`, which can be cancelled since nothing was started. Clean-ups
//! of a transfer wait until its scripts are dead, which could otherwise create again what was
//! removed.
//!
//! Silence after a command's end may also be a link that stalls, with output on its way. Before
//! `output_open` is reported, `Connection::probe` makes a round trip.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::contract::connection::Slot;
use crate::contract::process::{ProcessControl, TerminalSize};
use crate::running::handshake::{Handshake, Leader};
use crate::running::shared::Shared;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::error::Result;
use crate::values::io::Chunk;
use crate::values::status::ExitStatus;

/// Time limit of a kill through the link.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Time limit for a killed command to report its end. Podman takes more than 2 s for it on a busy
/// machine.
const CONFIRMATION_LIMIT: Duration = Duration::from_secs(8);

/// Time limit for the kill to reach the target, or for the target to answer. On a link that stalls
/// neither happens, and the caller's own limit has passed already.
const REACH_LIMIT: Duration = Duration::from_secs(1);

/// Time limit for a started command to announce its processes.
const HEARING_LIMIT: Duration = Duration::from_secs(10);

/// The limit once the shell that starts a privilege tool has announced itself: the tool gets no
/// more answers.
const INNER_HEARING_LIMIT: Duration = Duration::from_secs(2);

/// Kills a command.
pub(crate) struct Killer {
    link: Shared,
    control: Arc<dyn ProcessControl>,
    privilege: ConnectorArguments,
    /// The whole session goes: on a terminal, a shell with job control has put its jobs into groups
    /// of their own.
    whole_session: bool,
    /// Clean-ups wait until it is gone: the command could create again what they remove.
    _until_killed: Option<TaskTrackerToken>,
}

/// The control of a process that was handed over: what its connection cannot end goes through the
/// link.
struct Handed {
    control: Arc<dyn ProcessControl>,
    state: Mutex<HandedState>,
    /// The kill has reached what it was meant for.
    reached: Arc<AtomicBool>,
    /// The shell that ran the command, and perhaps became it.
    leader: Option<Leader>,
}

enum HandedState {
    Running(Box<(Killer, Handshake)>),
    Killed(Option<JoinHandle<bool>>),
}

#[async_trait]
impl ProcessControl for Handed {
    fn kill(&self) -> Option<i32> {
        let killed = self.control.kill();
        let mut state = self.state();
        let HandedState::Running(left) = mem::replace(&mut *state, HandedState::Killed(None))
        else {
            return killed;
        };
        let (killer, handshake) = *left;
        if killer.is_done(killed, &handshake) {
            return killed;
        }
        let (output, exit, over, slot) = (None, None, false, Slot::default());
        let ending = Ending { killer, handshake, output, exit, over, _slot: slot };
        *state = HandedState::Killed(ending.start(self.reached.clone()));
        None
    }

    async fn has_ended(&self, pid: i32) -> bool {
        let begun = match &mut *self.state() {
            HandedState::Running(_) => None,
            HandedState::Killed(ending) => ending.take(),
        };
        if let Some(ending) = begun {
            let _ = ending.await;
        }
        let is_ours = |leader: Leader| [leader.pid, leader.group()].contains(&pid);
        self.reached.load(Ordering::Relaxed) && self.leader.is_some_and(is_ours)
    }

    async fn resize(&self, size: TerminalSize) -> Result<()> {
        self.control.resize(size).await
    }
}

impl Handed {
    fn state(&self) -> MutexGuard<'_, HandedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that is to be ended, with what is needed to learn whom to kill.
pub(crate) struct Ending {
    pub(crate) killer: Killer,
    pub(crate) handshake: Handshake,
    pub(crate) output: Option<BoxStream<'static, std::io::Result<Chunk>>>,
    pub(crate) exit: Option<BoxFuture<'static, Result<ExitStatus>>>,
    /// The script's own end has been reported.
    pub(crate) over: bool,
    /// Held until it has ended.
    pub(crate) _slot: Slot,
}

impl Killer {
    pub(crate) fn new(
        link: Shared,
        control: Arc<dyn ProcessControl>,
        privilege: ConnectorArguments,
        whole_session: bool,
        until_killed: Option<TaskTrackerToken>,
    ) -> Self {
        Self { link, control, privilege, whole_session, _until_killed: until_killed }
    }

    /// Resolves when what the target had sent by now is here.
    pub(crate) fn answers(&self) -> BoxFuture<'static, Result<()>> {
        let link = self.link.clone();
        Box::pin(async move { link.connection().probe().await })
    }

    /// Ends what the connection itself can end, and changes the terminal's size.
    pub(crate) fn control(&self) -> &Arc<dyn ProcessControl> {
        &self.control
    }

    /// The control of a process whose streams are handed over. The command has announced itself.
    pub(crate) fn into_control(self, handshake: Handshake) -> impl ProcessControl + use<> {
        let (control, leader) = (self.control.clone(), handshake.inner);
        let state = Mutex::new(HandedState::Running(Box::new((self, handshake))));
        Handed { control, state, reached: Arc::default(), leader }
    }

    /// Returns whether nothing is left to do after the connection has ended the group `killed`.
    fn is_done(&self, killed: Option<i32>, handshake: &Handshake) -> bool {
        let Some(killed) = killed else { return false };
        let deepest = handshake.inner.or(handshake.outer);
        if self.whole_session && deepest.is_some_and(|leader| leader.session.is_some()) {
            return false;
        }
        let reached = deepest.is_none_or(|leader| leader.group() == killed);
        // A privilege tool may have put the command into a session of its own, which has not spoken
        // yet.
        let alone = handshake.inner.is_some() || !self.privilege.is_privileged();
        // If the connection knows the groups, its answer counts: a kill by number could hit a
        // different process.
        let knows = self.link.connection().features().leads_process_groups
            && !self.privilege.is_privileged();
        knows || (reached && alone)
    }

    /// Returns whether the connection's own kill has ended the command, and nothing else is left to
    /// end.
    async fn is_done_below(&self, handshake: &Handshake) -> bool {
        // The shell before a privilege tool is not the command.
        let leader =
            handshake.inner.or(handshake.outer.filter(|_| !self.privilege.is_privileged()));
        match leader {
            Some(leader) => self.control.has_ended(leader.pid).await,
            None => false,
        }
    }

    /// Sends the kill through the link, and says whether it has reached a group; `None` where none
    /// is known.
    ///
    /// If the privilege was not granted yet and a tool may ask for a password, the kill does not
    /// use the tool again.
    async fn send(&self, handshake: &Handshake) -> Option<bool> {
        let line = self.kill_line(handshake)?;
        let command = StringCommand::shell(line);
        let is_given = handshake.inner.is_some() || !self.privilege.may_be_asked();
        let privilege = if is_given { self.privilege.clone() } else { ConnectorArguments::new() };
        // The directory that commands start in may be gone.
        let arguments = privilege.with_chdir("/");
        let ran = self.link.run_urgently(&command, &arguments, KILL_LIMIT).await;
        Some(ran.is_ok_and(|output| output.success()))
    }
}

impl Killer {
    /// Returns the command that kills the announced groups or sessions.
    fn kill_line(&self, handshake: &Handshake) -> Option<String> {
        let leaders = [handshake.inner, handshake.outer].into_iter().flatten();
        if self.whole_session {
            let mut sessions: Vec<String> = leaders.clone().filter_map(kill_session).collect();
            sessions.dedup();
            if !sessions.is_empty() {
                return Some(format!("{KILL_SESSION_FUNCTION}{}", sessions.join("; ")));
            }
        }
        if self.link.connection().features().leads_process_groups && !self.privilege.is_privileged()
        {
            return None;
        }
        let groups: Vec<String> = leaders.filter_map(kill_leader).collect();
        (!groups.is_empty()).then(|| format!("{KILL_FUNCTION}{}", groups.join(" || ")))
    }
}

impl Ending {
    /// Ends immediately what the connection itself can end, and the rest in the background, where a
    /// disconnect waits for it.
    pub(crate) fn begin(self) {
        self.start(Arc::default());
    }

    /// Ends it, and waits; true if it is proved that the command has ended. The kill continues if
    /// this is dropped, or stops waiting.
    pub(crate) async fn and_wait(self) -> bool {
        let reached = Arc::new(AtomicBool::new(false));
        let mut answer = Some(self.killer.answers());
        let mut answers = false;
        let Some(mut ending) = self.start(reached.clone()) else { return false };
        let limit = sleep(REACH_LIMIT);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                ended = &mut ending => return ended.unwrap_or(false),
                Some(answered) = resolved(&mut answer) => answers = answered.is_ok(),
                () = &mut limit => break,
            }
        }
        // A target that answers is slow, but not stalled.
        let goes_on = answers || reached.load(Ordering::Relaxed);
        goes_on && ending.await.unwrap_or(false)
    }

    fn start(self, reached: Arc<AtomicBool>) -> Option<JoinHandle<bool>> {
        let killed = self.killer.control.kill();
        let link = self.killer.link.clone();
        link.in_background(self.finish(killed, reached))
    }

    async fn finish(mut self, killed: Option<i32>, reached: Arc<AtomicBool>) -> bool {
        if !self.killer.is_done(killed, &self.handshake) {
            self.hear_out().await;
        }
        let sent = self.killer.is_done(killed, &self.handshake)
            || self.killer.is_done_below(&self.handshake).await
            || self.killer.send(&self.handshake).await.unwrap_or(killed.is_some());
        reached.store(sent, Ordering::Relaxed);
        let never_started = self.over && !self.handshake.started();
        never_started || (sent && timeout(CONFIRMATION_LIMIT, self.until_over()).await == Ok(true))
    }

    /// Listens until the command has announced its group: it may have been cancelled before that.
    async fn hear_out(&mut self) {
        let started = Instant::now();
        while !self.over && !self.handshake.started() {
            let limit = match self.handshake.outer {
                Some(_) => INNER_HEARING_LIMIT,
                None => HEARING_LIMIT,
            };
            tokio::select! {
                chunk = next(&mut self.output), if self.output.is_some() => match chunk {
                    Some(Ok(chunk)) => { self.handshake.hear(chunk.stream, chunk.bytes); }
                    _ => self.output = None,
                },
                exit = resolved(&mut self.exit), if self.output.is_none() => {
                    self.over = matches!(exit, Some(Ok(_)));
                    return;
                }
                () = sleep_until(started + limit) => return,
            }
        }
    }

    /// Waits for the command's end, and reads its output meanwhile: a full pipe could keep it from
    /// ending.
    async fn until_over(&mut self) -> bool {
        while !self.over {
            tokio::select! {
                chunk = next(&mut self.output), if self.output.is_some() => {
                    if !matches!(chunk, Some(Ok(_))) {
                        self.output = None;
                    }
                }
                exit = resolved(&mut self.exit) => return matches!(exit, Some(Ok(_))),
            }
        }
        self.over
    }
}

/// The next chunk of a stream that is there; `None` where there is none.
pub(crate) async fn next(
    output: &mut Option<BoxStream<'static, std::io::Result<Chunk>>>,
) -> Option<std::io::Result<Chunk>> {
    match output {
        Some(output) => output.next().await,
        None => None,
    }
}

/// The result of a future that is there, which is then gone; `None` where there is none.
pub(crate) async fn resolved<T>(future: &mut Option<BoxFuture<'static, T>>) -> Option<T> {
    let result = future.as_mut()?.await;
    *future = None;
    Some(result)
}

/// `_hl_k GROUP START`: ends the group unless its leader is a later process with the same pid. A
/// group that is gone has ended, which only /proc proves.
///
/// No `--` before the group: dash takes it for a pid.
const KILL_FUNCTION: &str = r#"_hl_k() { if { read -r _hl_x </proc/$1/stat; } 2>&-; then set -- "$1" "$2" ${_hl_x##*) }; [ -z "$2" ] || [ "${22}" = "$2" ] || return 1; fi; kill -KILL -$1 2>&- || kill -KILL $1 2>&- || _hl_gone $1; }
_hl_gone() { [ -r /proc/$$/stat ] || return 1; for _hl_p in /proc/[0-9]*/stat; do { read -r _hl_x <"$_hl_p"; } 2>&- || continue
set -- "$1" ${_hl_x##*) }; [ "$4" != "$1" ] || [ "$2" = Z ] || return 1; done; }
"#;

fn kill_leader(leader: Leader) -> Option<String> {
    let group = leader.group();
    let start = leader.start.map(|start| start.to_string()).unwrap_or_default();
    // Group 0 is our own and 1 is everybody's.
    (group > 1).then(|| format!("_hl_k {group} '{start}' 2>&-"))
}

/// `_hl_e SESSION START`: ends every process of the session (`/proc/PID/stat` field 6, see proc(5))
/// unless its leader is a later process with the same pid. It looks again until no process is left,
/// since what it has not reached yet may fork.
const KILL_SESSION_FUNCTION: &str = r#"_hl_e() { if { read -r _hl_x </proc/$1/stat; } 2>&-; then set -- "$1" "$2" ${_hl_x##*) }; [ -z "$2" ] || [ "${22}" = "$2" ] || return 1; fi
_hl_s=$1 _hl_n=; while [ "${#_hl_n}" -lt 20 ]; do _hl_n=x$_hl_n _hl_f=
for _hl_p in /proc/[0-9]*/stat; do { read -r _hl_x <"$_hl_p"; } 2>&- || continue
set -- ${_hl_x##*) }; [ "$4" = "$_hl_s" ] && [ "$1" != Z ] || continue
_hl_p=${_hl_p#/proc/}; kill -KILL "${_hl_p%/stat}" && _hl_f=x; done
[ -n "$_hl_f" ] || return 0; done; }
"#;

fn kill_session(leader: Leader) -> Option<String> {
    let session = leader.session.filter(|session| *session > 1)?;
    // The start is the group leader's, which often leads the session too.
    let start = leader.start.filter(|_| leader.known_group == Some(session));
    let start = start.map(|start| start.to_string()).unwrap_or_default();
    Some(format!("_hl_e {session} '{start}' 2>&-"))
}
