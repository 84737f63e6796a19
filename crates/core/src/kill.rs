//! Ending everything that a command started, also when its future is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::arguments::ConnectorArguments;
use crate::command::StringCommand;
use crate::handshake::Leader;
use crate::link::Link;
use crate::process::ProcessControl;
use crate::run::Attempt;

/// How long a kill through the link may take.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Kills a command unless it is told that the command has ended.
pub(crate) struct KillGuard {
    link: Link,
    control: Arc<dyn ProcessControl>,
    privilege: ConnectorArguments,
    pub(crate) leaders: Leaders,
    armed: bool,
}

/// The shells that announced themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leaders {
    pub(crate) inner: Option<Leader>,
    pub(crate) outer: Option<Leader>,
}

impl KillGuard {
    pub(crate) fn new(
        link: Link,
        control: Arc<dyn ProcessControl>,
        arguments: &ConnectorArguments,
    ) -> Self {
        let privilege = arguments.privilege_only();
        Self { link, control, privilege, leaders: Leaders::default(), armed: true }
    }

    /// The command and all that it started have ended or are the user's now.
    pub(crate) fn disarm(&mut self) {
        self.armed = false;
    }

    /// Ends everything; true if a kill is known to have reached it. The command's own exit is the proof that
    /// is then still to come.
    pub(crate) async fn kill(&mut self) -> bool {
        if !std::mem::take(&mut self.armed) {
            return false;
        }
        match self.begin() {
            Kill::Done => true,
            Kill::Nothing => false,
            // In the background, so that it goes on if this future is dropped, and a disconnect waits for it.
            Kill::Send(command) => match self.in_background(command) {
                Some(killing) => killing.await.unwrap_or(false),
                None => false,
            },
        }
    }

    fn in_background(&self, command: StringCommand) -> Option<JoinHandle<bool>> {
        let killing = send(self.link.clone(), command, self.privilege.clone());
        self.link.in_background(killing)
    }

    /// What can be done without waiting, and what is left to do.
    fn begin(&self) -> Kill {
        let killed = self.control.kill();
        let leaders = self.leaders;
        let deepest = leaders.inner.or(leaders.outer);
        if killed.is_some() && deepest.is_none_or(|leader| Some(leader.group()) == killed) {
            return Kill::Done;
        }
        // Where the connection knows the groups nothing else can know better: by number, this could hit a stranger.
        if self.link.connection().knows_groups() && !self.privilege.is_privileged() {
            return if killed.is_some() { Kill::Done } else { Kill::Nothing };
        }
        let commands: Vec<String> =
            [leaders.inner, leaders.outer].into_iter().flatten().filter_map(kill_leader).collect();
        if commands.is_empty() {
            return if killed.is_some() { Kill::Done } else { Kill::Nothing };
        }
        Kill::Send(StringCommand::shell(format!("{KILL_FUNCTION}{}", commands.join(" || "))))
    }
}

enum Kill {
    Done,
    Nothing,
    Send(StringCommand),
}

/// `_hl_k GROUP START`: ends the group unless its leader is a later process with the same pid.
///
/// No `--` before the group: dash takes it for a pid.
const KILL_FUNCTION: &str = r#"_hl_k() { if { read -r _hl_x </proc/$1/stat; } 2>/dev/null; then set -- "$1" "$2" ${_hl_x##*) }; [ -z "$2" ] || [ "${22}" = "$2" ] || return 1; fi; kill -KILL -$1 2>/dev/null || kill -KILL $1; }
"#;

fn kill_leader(leader: Leader) -> Option<String> {
    let group = leader.group();
    let start = leader.start.map(|start| start.to_string()).unwrap_or_default();
    // Group 0 is our own and 1 is everybody's.
    (group > 1).then(|| format!("_hl_k {group} '{start}' 2>/dev/null"))
}

async fn send(link: Link, command: StringCommand, privilege: ConnectorArguments) -> bool {
    let attempt = Attempt::urgent(&link, &command, &privilege, KILL_LIMIT);
    // Boxed: the kill of a command is a command too, if one that is not killed in turn.
    Box::pin(attempt.run()).await.is_ok_and(|output| output.success())
}

impl Drop for KillGuard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Kill::Send(command) = self.begin() {
            self.in_background(command);
        }
    }
}
