//! Child processes with a session of their own, which the watcher knows, and which end as a group.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use hostlink_core::{Context, SECRET_VARIABLES};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};

use super::askpass::SCRIPT;
use super::run::{MasterDirectory, since};

/// Writes the askpass script and registers itself, then becomes `ssh`.
///
/// The second check of the file closes a race: the watcher renames the directory, and then reads
/// the files. A file that still has its old name was complete before the rename.
///
/// Its start time, field 22 of proc_pid_stat(5), distinguishes it from a later process of the same
/// number.
///
/// `sh` writes the script because a file that we write ourselves cannot be run (ETXTBSY) while a
/// fork of another thread of ours still has it open.
const REGISTER: &str = concat!(
    since!(),
    r#"umask 077
since $$
[ -p "$1/ask" ] || mkfifo -m 600 "$1/ask"
printf '%s' "$2" >"$1/askpass" && echo "$$ $s" >"$1/pid.$3" && [ -f "$1/pid.$3" ] || exit 126
shift 3
exec ssh "$@""#
);

/// A process group, which is killed as a whole.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Option<Pid>,
    /// The file by which the watcher knows it.
    registered: PathBuf,
    ended: AtomicBool,
}

impl Group {
    fn new(pid: Option<u32>, registered: PathBuf) -> Self {
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        let leader = pid.and_then(Pid::from_raw);
        Self { leader, registered, ended: AtomicBool::new(false) }
    }

    /// Returns the leader's process id.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.leader.map(|pid| pid.as_raw_nonzero().get())
    }

    /// Ends the processes that the leader has left, once it has been reaped. After that its number
    /// may be another process's, so neither we nor the watcher may use it.
    pub(crate) fn end(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        // While the group has members, no new process gets its number: a process that has it now is
        // not of the group.
        if let Some(leader) = self.leader
            && test_kill_process(leader) == Err(Errno::SRCH)
        {
            kill_all(leader);
        }
        // It fails if the directory is gone already.
        let _gone = std::fs::remove_file(&self.registered);
    }

    /// Ends the leader and all that it has started, such as proxies and askpass scripts.
    pub(crate) fn kill(&self) {
        if let Some(leader) = self.leader
            && !self.ended.load(Ordering::Acquire)
        {
            kill_all(leader);
        }
    }
}

fn kill_all(leader: Pid) {
    // It fails only if nothing is left to kill.
    let _gone = kill_process_group(leader, Signal::KILL);
}

/// Starts `ssh` with these arguments. `name` distinguishes the processes of one directory.
pub(crate) fn start(
    directory: &MasterDirectory,
    name: &str,
    arguments: &[std::ffi::OsString],
    context: &Context,
    stdout: Stdio,
) -> io::Result<(Box<dyn ChildWrapper>, Group)> {
    let mut command = CommandWrap::with_new("sh", |command| {
        command.arg("-c").arg(REGISTER).arg("sh");
        command.arg(directory.path()).arg(SCRIPT).arg(name).args(arguments);
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        command.envs(&context.environment);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        // ssh_config(5) has no setting for these two. They need OpenSSH 8.4 or later.
        command.env("SSH_ASKPASS", directory.path().join("askpass"));
        command.env("SSH_ASKPASS_REQUIRE", "force");
    });
    // A session, not only a group: without a terminal nothing can prompt on it, and Ctrl-C does not
    // reach it.
    let child = command.wrap(ProcessSession).spawn()?.into_inner();
    let group = Group::new(child.id(), directory.path().join(format!("pid.{name}")));
    Ok((child, group))
}
