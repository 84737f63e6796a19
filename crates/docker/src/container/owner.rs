//! The owner of a container, which tells containers of killed runs from those in use.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The label of every container that we make. Its value identifies the run.
pub(super) const RUN_LABEL: &str = "hostlink";

/// The label with the owner.
pub(super) const OWNER_LABEL: &str = "hostlink.owner";

/// The label with the owner of an intermediate image.
pub(super) const HALF_MADE_LABEL: &str = "hostlink.half-made";

/// A process: its machine, the machine's boot, its ID, and its start time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    machine: String,
    boot: String,
    pid: u32,
    start: u64,
}

impl Owner {
    /// Returns this process; `None` if the system does not identify it well enough (no /proc).
    pub(super) fn me() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { machine: machine()?, boot: boot()?, pid, start: start_of(pid)? })
    }

    /// Parses a label that was written by [`label`](Self::label).
    pub(super) fn parse(label: &str) -> Option<Self> {
        let mut parts = label.split('/');
        let owner = Self {
            machine: parts.next()?.to_owned(),
            boot: parts.next()?.to_owned(),
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(owner)
    }

    /// `MACHINE/BOOT/PID/START`.
    pub(super) fn label(&self) -> String {
        let Self { machine, boot, pid, start } = self;
        format!("{machine}/{boot}/{pid}/{start}")
    }

    /// Returns what `self`, which is alive, knows about `other`.
    pub(super) fn knows_of(&self, other: &Self) -> Fate {
        if self.machine != other.machine {
            return Fate::Unknown;
        }
        if self.boot != other.boot {
            return Fate::OfAnotherBoot;
        }
        if is_gone(other.pid, other.start) { Fate::Dead } else { Fate::Unknown }
    }
}

/// The fate of an owner, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has certainly ended.
    Dead,
    /// It belongs to an earlier boot of this machine, or to a copy of the machine with the same ID.
    OfAnotherBoot,
    /// It lives, or it cannot be determined.
    Unknown,
}

/// Returns the machine's ID and, if process IDs are those of a container, its PID namespace:
/// containers of one machine often share the ID, and do not see each other's processes.
fn machine() -> Option<String> {
    /// `PROC_PID_INIT_INO` of the kernel.
    const OF_THE_MACHINE: &str = "pid:[4026531836]";
    let id = read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id"))?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace = namespace.to_str()?;
    if namespace == OF_THE_MACHINE {
        return Some(id);
    }
    let number: String = namespace.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{id}-{number}"))
}

fn boot() -> Option<String> {
    read("/proc/sys/kernel/random/boot_id")
}

/// Returns whether a process has certainly ended. An unreadable entry proves nothing: /proc may
/// hide other users' processes (`hidepid`, proc(5)), but kill(2) does not.
fn is_gone(pid: u32, start: u64) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => started(&stat) != Some(start),
        Err(_) => !exists(pid),
    }
}

fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Returns the start time of a process, in clock ticks.
fn start_of(pid: u32) -> Option<u64> {
    started(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses field 22 of proc(5)'s `stat`; `None` for a zombie.
fn started(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!text.is_empty() && text.chars().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_provably_dead_on_this_machine_is_dead() {
        let me = Owner::me().unwrap();
        assert_eq!(Owner::parse(&me.label()), Some(me.clone()));
        assert_eq!(me.knows_of(&me), Fate::Unknown);
        let restarted = Owner { start: me.start + 1, ..me.clone() };
        assert_eq!(me.knows_of(&restarted), Fate::Dead);
        let before_boot = Owner { boot: "other".to_owned(), ..me.clone() };
        assert_eq!(me.knows_of(&before_boot), Fate::OfAnotherBoot);
        let elsewhere = Owner { machine: "other".to_owned(), ..restarted };
        assert_eq!(me.knows_of(&elsewhere), Fate::Unknown);
    }

    #[test]
    fn what_is_no_label_of_ours_is_nobodys() {
        for label in ["", "me", "a/b/c/d", "a/b/1", "a/b/1/2/3"] {
            assert_eq!(Owner::parse(label), None, "{label}");
        }
    }

    #[test]
    fn a_process_that_has_ended_and_was_not_waited_for_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let start = start_of(child.id()).unwrap_or_default();
        while !is_gone(child.id(), start) {
            assert!(std::time::Instant::now() < deadline);
        }
        child.wait().unwrap();
        assert!(is_gone(child.id(), start));
        assert!(exists(std::process::id()) && !exists(child.id()));
    }
}
