//! A real OpenSSH server for one test.

mod builder;
mod config;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

pub use builder::SshdBuilder;
pub use config::Subsystem;

use crate::keeper::Keeper;
use crate::processes::{ProcessStat, descendants_of, process, signal};

/// A running sshd. It and all that its sessions started end when this value is dropped or the
/// test's process ends.
#[derive(Debug)]
pub struct Sshd {
    keeper: Keeper,
    addresses: Vec<IpAddr>,
    port: u16,
    pid: u32,
}

impl Sshd {
    /// Returns a builder for a server on 127.0.0.1 that accepts keys, without PAM.
    #[must_use]
    pub fn builder() -> SshdBuilder {
        SshdBuilder::default()
    }

    /// Returns the first address that it listens on; 127.0.0.1 if that is 0.0.0.0.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        let first = self.addresses[0];
        if first.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { first }
    }

    /// Returns the port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its directory, which every user may read.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.keeper.dir()
    }

    /// Returns a known_hosts file with its keys, for every name and address at its port.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.dir().join("known_hosts")
    }

    /// Accepts this key, a line of a `.pub` file, for every user.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn authorize(&self, public_key: &str) {
        append(&self.dir().join("authorized_keys"), public_key);
    }

    /// Accepts this key for one user. Options such as `command="…"` may precede the key.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn authorize_user(&self, user: &str, public_key: &str) {
        append(&self.dir().join(format!("authorized_keys.{user}")), public_key);
    }

    /// Accepts certificates that this key signed, for the users that they name.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn trust_authority(&self, public_key: &str) {
        append(&self.dir().join("authorities"), public_key);
    }

    /// Returns its log, at level VERBOSE.
    #[must_use]
    pub fn log(&self) -> String {
        self.keeper.log()
    }

    /// Returns how many logins it has accepted. A login is logged a moment after the client is
    /// logged in, but before a command runs.
    #[must_use]
    pub fn logins(&self) -> usize {
        config::logins(&self.log())
    }

    /// Returns how many passwords and answers it has refused. Those of an open connection may not
    /// be logged yet, see [`Sshd::wait_until_idle()`].
    #[must_use]
    pub fn refused_passwords(&self) -> usize {
        config::refused_passwords(&self.log())
    }

    /// Returns the process that listens.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the sshd processes of connections: two for each logged-in user but root. The users'
    /// commands are not included.
    #[must_use]
    pub fn session_pids(&self) -> Vec<u32> {
        self.session_processes().iter().map(|it| it.pid).collect()
    }

    /// Stops the listener and all its connections, so that nothing answers. The kernel still
    /// accepts connections.
    pub fn stop(&self) {
        signal(self.pid, Signal::STOP);
        wait_for_state(self.pid, true);
        // A process may have forked since they were listed.
        loop {
            let running = self.session_processes().into_iter().filter(|it| it.state != 'T');
            let running: Vec<u32> = running.map(|it| it.pid).collect();
            if running.is_empty() {
                return;
            }
            for pid in running {
                signal(pid, Signal::STOP);
                wait_for_state(pid, true);
            }
        }
    }

    /// Continues all processes after [`Sshd::stop()`].
    pub fn cont(&self) {
        for pid in self.session_pids().into_iter().chain([self.pid]) {
            signal(pid, Signal::CONT);
            wait_for_state(pid, false);
        }
    }

    /// Kills all connections with SIGKILL, and waits for their end. Their commands live on, and so
    /// does the listener.
    ///
    /// # Panics
    ///
    /// If they do not end.
    pub fn kill_sessions(&self) {
        let pids = self.session_pids();
        for &pid in &pids {
            signal(pid, Signal::KILL);
        }
        crate::cli::wait_until("the connections end", || {
            let left = self.session_pids();
            pids.iter().all(|pid| !left.contains(pid))
        });
    }

    /// Waits until there are no connections. The log is complete then.
    ///
    /// # Panics
    ///
    /// If some stay.
    pub fn wait_until_idle(&self) {
        crate::cli::wait_until("sshd has no connections", || self.session_pids().is_empty());
    }

    /// Returns all processes below the listener: connections, shells, commands. An orphan whose
    /// connection has ended is not included.
    #[must_use]
    pub fn descendants(&self) -> Vec<ProcessStat> {
        descendants_of(self.pid)
    }

    fn session_processes(&self) -> Vec<ProcessStat> {
        let all = self.descendants().into_iter();
        all.filter(|it| it.name.starts_with("sshd") && it.state != 'Z').collect()
    }
}

/// A process that has ended counts as being in every state.
fn wait_for_state(pid: u32, stopped: bool) {
    crate::cli::wait_until("the signal arrives", || {
        process(pid).is_none_or(|it| it.state == 'Z' || (it.state == 'T') == stopped)
    });
}

fn append(path: &Path, line: &str) {
    let file: std::io::Result<File> = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{}\n", line.trim()).as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
