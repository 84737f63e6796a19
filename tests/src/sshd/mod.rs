//! A real OpenSSH server of a test's own.

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

/// A running sshd; it and all that its sessions started end with this value, and with the test's
/// process.
#[derive(Debug)]
pub struct Sshd {
    keeper: Keeper,
    addresses: Vec<IpAddr>,
    port: u16,
    pid: u32,
}

impl Sshd {
    /// A server for keys on 127.0.0.1, without PAM.
    #[must_use]
    pub fn builder() -> SshdBuilder {
        SshdBuilder::default()
    }

    /// The first address that it listens on; 127.0.0.1 if that is 0.0.0.0.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        let first = self.addresses[0];
        if first.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { first }
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its directory, which every user may read.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.keeper.dir()
    }

    /// A known_hosts file with its keys, for every name and address at its port.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.dir().join("known_hosts")
    }

    /// Lets everyone in who has this key, a line of a `.pub` file, as whichever user.
    ///
    /// # Panics
    ///
    /// If it cannot be written down.
    pub fn authorize(&self, public_key: &str) {
        append(&self.dir().join("authorized_keys"), public_key);
    }

    /// Lets one user in who has this key. Options, like `command="…"`, may stand before it.
    ///
    /// # Panics
    ///
    /// If it cannot be written down.
    pub fn authorize_user(&self, user: &str, public_key: &str) {
        append(&self.dir().join(format!("authorized_keys.{user}")), public_key);
    }

    /// Believes certificates that this key signed, for the users that they name.
    ///
    /// # Panics
    ///
    /// If it cannot be written down.
    pub fn trust_authority(&self, public_key: &str) {
        append(&self.dir().join("authorities"), public_key);
    }

    /// All that it said, at its log level VERBOSE.
    #[must_use]
    pub fn log(&self) -> String {
        self.keeper.log()
    }

    /// How many logins it has accepted. A client may hear of its login a moment before it is in the
    /// log; once a command runs, it is.
    #[must_use]
    pub fn logins(&self) -> usize {
        config::logins(&self.log())
    }

    /// How many passwords and answers it has refused; those of a connection that is still there may
    /// not be in the log yet, see [`Sshd::wait_until_idle()`].
    #[must_use]
    pub fn refused_passwords(&self) -> usize {
        config::refused_passwords(&self.log())
    }

    /// The process that listens.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The sshd processes of connections, which are two for each logged in user but root. What they
    /// run for the user is not in it.
    #[must_use]
    pub fn session_pids(&self) -> Vec<u32> {
        self.session_processes().iter().map(|it| it.pid).collect()
    }

    /// Stops the listener and all its connections, so that nothing answers any more; the kernel
    /// still accepts connections.
    pub fn stop(&self) {
        signal(self.pid, Signal::STOP);
        wait_for_state(self.pid, true);
        // A process that was about to fork may have done so since they were listed.
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

    /// Lets all go on after [`Sshd::stop()`].
    pub fn cont(&self) {
        for pid in self.session_pids().into_iter().chain([self.pid]) {
            signal(pid, Signal::CONT);
            wait_for_state(pid, false);
        }
    }

    /// Ends all connections with SIGKILL, and waits until they have; what they ran lives on, and so
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

    /// Waits until it has no connections, after which its log is complete.
    ///
    /// # Panics
    ///
    /// If some stay.
    pub fn wait_until_idle(&self) {
        crate::cli::wait_until("sshd has no connections", || self.session_pids().is_empty());
    }

    /// Everything that runs below the listener: connections, shells, commands. An orphan whose
    /// connection has ended is not in it.
    #[must_use]
    pub fn descendants(&self) -> Vec<ProcessStat> {
        descendants_of(self.pid)
    }

    fn session_processes(&self) -> Vec<ProcessStat> {
        let all = self.descendants().into_iter();
        all.filter(|it| it.name.starts_with("sshd") && it.state != 'Z').collect()
    }
}

/// A process that has ended is in every state.
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
