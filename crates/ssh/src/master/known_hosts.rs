//! The file of known host keys, to which ssh adds new ones.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostlink_core::{Context, Event, Reporter};
use parking_lot::Mutex;

use crate::settings::{HostKeyPolicy, Settings};

use super::errors::subject;
use super::log::Log;
use super::peers::Peer;

/// Held while a line is ended: many logins may start at the same time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Ends the last line of the file to which this login may add a key.
///
/// OpenSSH 9.2 appends a new key without a newline before it (`add_host_to_hostfile` in its
/// `hostfile.c`). After an unfinished line, that spoils both keys.
pub(crate) fn end_last_line(settings: &Settings, context: &Context) {
    if settings.host_keys == Some(HostKeyPolicy::Yes) {
        return;
    }
    let default = || context.home.as_ref().map(|home| home.join(".ssh/known_hosts"));
    let file: Option<PathBuf> = settings.known_hosts_file.clone().or_else(default);
    if let Some(path) = file.filter(|path| path.is_absolute() && path.is_file()) {
        let _alone = ONE_AT_A_TIME.lock();
        // If we may not write it, ssh may not either, and reports it: see `Unkept`.
        let _not_ours = end(&path);
    }
}

fn end(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    // One append, which cannot end up within a line that another process adds.
    OpenOptions::new().append(true).open(path)?.write_all(b"\n")
}

/// ssh's report of a key that it accepted and could not store: `check_host_key` in OpenSSH's
/// `sshconnect.c`. The file follows.
const NOT_ADDED: &str = "Failed to add the host to the list of known hosts (";

/// Warns of host keys that ssh accepted and could not store: a key that has changed by the next
/// login would be accepted as a new one.
#[derive(Debug)]
pub(super) struct Unkept {
    target: String,
    reporter: Arc<dyn Reporter>,
    told: HashSet<String>,
}

/// How many keys it warns of: more than there are hops. A proxy command may say anything.
const MOST_TOLD: usize = 20;

impl Unkept {
    pub(super) fn new(target: &str, context: &Context) -> Self {
        let (target, reporter) = (target.to_owned(), context.reporter.clone());
        Self { target, reporter, told: HashSet::new() }
    }

    /// Reports each such key of the log once. `master` is the process id of the target's ssh.
    pub(super) fn warn(&mut self, log: &Mutex<Log>, master: Option<i32>) {
        for warning in warnings(&log.lock(), master) {
            if self.told.len() < MOST_TOLD && !self.told.contains(&warning) {
                self.reporter.report(&self.target, Event::Warning(&warning));
                self.told.insert(warning);
            }
        }
    }
}

fn warnings(log: &Log, master: Option<i32>) -> Vec<String> {
    let of_peer = |peer: &Peer<'_>| {
        let file = peer.after(NOT_ADDED)?.trim_end_matches(").");
        let who = subject(peer);
        Some(format!(
            "the host key of {who} was accepted, but could not be added to {file}, so a changed key will not be \
             noticed: make the file writable, or set ssh_known_hosts_file=FILE"
        ))
    };
    Peer::all(log, master).iter().filter_map(of_peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_without_an_end_gets_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (before, after) in [("", ""), ("a\n", "a\n"), ("a\nb", "a\nb\n"), ("\n", "\n")] {
            std::fs::write(file.path(), before).unwrap();
            end(file.path()).unwrap();
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), after);
        }
    }

    #[test]
    fn warnings_end() {
        #[derive(Debug, Default)]
        struct Count(std::sync::atomic::AtomicUsize);
        impl Reporter for Count {
            fn report(&self, _target: &str, _event: Event<'_>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count::default());
        let mut unkept =
            Unkept { target: "web".to_owned(), reporter: count.clone(), told: HashSet::new() };
        let log = Mutex::new(Log::default());
        for pid in 1..1000 {
            let line = format!("s.c:f():1 (pid={pid}): {NOT_ADDED}/ro/known{pid}).\n");
            log.lock().push(line.as_bytes());
            unkept.warn(&log, Some(1));
        }
        assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), MOST_TOLD);
    }

    #[test]
    fn each_hop_whose_key_is_not_kept_is_named_with_the_file() {
        let mut log = Log::default();
        for (pid, host) in [(1, "web"), (2, "bastion")] {
            log.push(
                format!(
                    "debug1: s.c:f():1 (pid={pid}): Authenticating to {host}:22 as 'me'\n\
                     s.c:f():1 (pid={pid}): {NOT_ADDED}/ro/known (1)).\n"
                )
                .as_bytes(),
            );
        }
        let told = warnings(&log, Some(1));
        let starts =
            ["the host key of me@web:22 was", "the host key of the jump host me@bastion:22"];
        assert_eq!(told.len(), 2);
        for (warning, start) in told.iter().zip(starts) {
            assert!(
                warning.starts_with(start) && warning.contains("to /ro/known (1),"),
                "{warning}"
            );
        }
    }
}
