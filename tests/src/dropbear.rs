//! A real dropbear of a test's own: the SSH server of small machines.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::keeper::{Keeper, run_tool};
use crate::ports::free_port;

/// Another port is tried this often.
const TRIES: usize = 20;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A running dropbear on 127.0.0.1, with this machine's users and files; it and all that its
/// sessions started end with this value, and with the test's process.
///
/// It reads the `~/.ssh/authorized_keys` of users, so keys are for
/// [`TestUser::authorize()`](crate::user::TestUser::authorize).
#[derive(Debug)]
pub struct Dropbear {
    keeper: Keeper,
    port: u16,
    pid: u32,
}

impl Dropbear {
    /// Starts it, with an Ed25519 host key.
    ///
    /// # Panics
    ///
    /// If it does not start, with what it said.
    #[must_use]
    pub fn start() -> Self {
        let keeper = Keeper::start();
        let dir = keeper.dir().display().to_string();
        Self::serve(keeper, |port| format!("exec dropbear {}", flags(&dir, port)))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        ADDRESS
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that listens.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A known_hosts file with its key, for every name and address at its port.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.keeper.dir().join("known_hosts")
    }

    /// All that it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.keeper.log()
    }

    /// How many logins it has accepted.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.log().matches(" auth succeeded for ").count()
    }

    /// Makes the host key, and runs what `command` says for a port until one is free.
    pub(crate) fn serve(mut keeper: Keeper, command: impl Fn(u16) -> String) -> Self {
        let key = keeper.dir().join("host_key");
        let key = key.to_str().expect("our names are ASCII");
        let said = run_tool("dropbearkey", &["-t", "ed25519", "-f", key]);
        let public = said.lines().find(|it| it.starts_with("ssh-ed25519 "));
        let public = public.unwrap_or_else(|| panic!("dropbearkey: {said}"));
        for _ in 0..TRIES {
            let port = free_port(&[ADDRESS]);
            let pid = keeper.run(&command(port));
            // It is said after the port was bound.
            if keeper.wait_until_ready(|| keeper.log().contains("Not backgrounding")) {
                keeper.write("known_hosts", 0o644, &format!("[*]:{port} {public}\n"));
                return Self { keeper, port, pid };
            }
            assert!(keeper.log().contains("Address already in use"), "dropbear: {}", keeper.log());
        }
        panic!("no dropbear: {}", keeper.log());
    }
}

/// In the foreground, logging to standard error, with a PID file of its own.
pub(crate) fn flags(dir: &str, port: u16) -> String {
    format!("-F -E -p {ADDRESS}:{port} -r {dir}/host_key -P {dir}/pid")
}
