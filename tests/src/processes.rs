//! The processes of this machine, as /proc shows them to root.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The state of a process at one time: proc(5), `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Its process ID.
    pub pid: u32,
    /// The process ID of its parent.
    pub parent: u32,
    /// The name of its program. The kernel cuts it off after 15 bytes.
    pub name: String,
    /// `R`, `S`, `T` for stopped, `Z` for a zombie …
    pub state: char,
    /// Its start time, in ticks since boot. A different one means a different process.
    pub start: u64,
}

/// Returns the process with this ID, if there is one.
#[must_use]
pub fn process(pid: u32) -> Option<ProcessStat> {
    parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// Returns all processes.
///
/// # Panics
///
/// Without /proc.
#[must_use]
pub fn processes() -> Vec<ProcessStat> {
    let entries = fs::read_dir("/proc").expect("there is /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
}

/// Returns the children of a process, their children, and so on, including zombies.
#[must_use]
pub fn descendants_of(pid: u32) -> Vec<ProcessStat> {
    let (mut left, mut found, mut parents) = (processes(), Vec::new(), vec![pid]);
    while let Some(parent) = parents.pop() {
        let (children, others) = left.into_iter().partition(|it| it.parent == parent);
        left = others;
        parents.extend::<Vec<u32>>(pids(&children));
        found.extend::<Vec<ProcessStat>>(children);
    }
    found
}

/// Sends a signal. Returns whether there was such a process.
///
/// # Panics
///
/// If this process may not send it, or for pid 0.
pub fn signal(pid: u32, signal: Signal) -> bool {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match kill_process(number.expect("a pid is positive"), signal) {
        Ok(()) => true,
        Err(error) if error == rustix::io::Errno::SRCH => false,
        Err(error) => panic!("signal to {pid}: {error}"),
    }
}

fn pids(processes: &[ProcessStat]) -> Vec<u32> {
    processes.iter().map(|it| it.pid).collect()
}

/// The name is in parentheses and may contain any character, so the other fields start after the
/// last closing one.
fn parse(stat: &str) -> Option<ProcessStat> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let (pid, name) = head.split_once(" (")?;
    let mut fields = tail.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22; the first of these is the fifth.
    let start = fields.nth(17)?.parse().ok()?;
    Some(ProcessStat { pid: pid.parse().ok()?, parent, name: name.to_owned(), state, start })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_may_hold_parentheses() {
        let line = "12 (a) R (b) S 7 12 12 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let process = parse(line).expect("a line of /proc");
        assert_eq!(
            (process.pid, process.parent, process.name.as_str(), process.state),
            (12, 7, "a) R (b", 'S')
        );
        assert_eq!(process.start, 4711);
    }

    #[test]
    fn children_of_children_are_found() {
        // The last command keeps the shell from replacing itself.
        let mut child = Command::new("sh").args(["-c", "sleep 4711 & wait; :"]).spawn().unwrap();
        let names = || -> Vec<String> {
            let all = descendants_of(std::process::id());
            all.into_iter().map(|it| it.name).collect()
        };
        crate::cli::wait_until("the shell has a child", || names().contains(&"sleep".to_owned()));
        for it in descendants_of(child.id()) {
            assert!(signal(it.pid, Signal::KILL));
        }
        child.wait().unwrap();
        assert!(process(child.id()).is_none());
    }
}
