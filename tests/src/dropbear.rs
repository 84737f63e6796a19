//! A real dropbear for one test: the SSH server of small machines.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::keeper::{Keeper, run_tool};
use crate::ports::free_port;

/// The number of ports that are tried.
const TRIES: usize = 20;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A running dropbear on 127.0.0.1, with this machine's users and files. It and all that its
/// sessions started end when this value is dropped or the test's process ends.
///
/// It reads `~/.ssh/authorized_keys` of the users, so keys are installed by
/// [`TestUser::authorize()`](crate::user::TestUser::authorize).
#[derive(Debug)]
pub struct Dropbear {
    keeper: Keeper,
    port: u16,
    pid: u32,
}

impl Dropbear {
    /// Starts a server with an Ed25519 host key.
    ///
    /// # Panics
    ///
    /// If it does not start; the message has its log.
    #[must_use]
    pub fn start() -> Self {
        let keeper = Keeper::start();
        let dir = keeper.dir().display().to_string();
        Self::serve(keeper, |port| format!("exec dropbear {}", flags(&dir, port)))
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        ADDRESS
    }

    /// Returns the port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the process that listens.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns a known_hosts file with its key, for every name and address at its port.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.keeper.dir().join("known_hosts")
    }

    /// Returns its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.keeper.log()
    }

    /// Returns how many logins it has accepted.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.log().matches(" auth succeeded for ").count()
    }

    /// Makes the host key, and runs `command` with one port after the other until one is free.
    pub(crate) fn serve(mut keeper: Keeper, command: impl Fn(u16) -> String) -> Self {
        let key = keeper.dir().join("host_key");
        let key = key.to_str().expect("our names are ASCII");
        let said = run_tool("dropbearkey", &["-t", "ed25519", "-f", key]);
        let public = said.lines().find(|it| it.starts_with("ssh-ed25519 "));
        let public = public.unwrap_or_else(|| panic!("dropbearkey: {said}"));
        for _ in 0..TRIES {
            let port = free_port(&[ADDRESS]);
            let pid = keeper.run(&command(port));
            // The line is logged after the port was bound.
            if keeper.wait_until_ready(|| keeper.log().contains("Not backgrounding")) {
                keeper.write("known_hosts", 0o644, &format!("[*]:{port} {public}\n"));
                return Self { keeper, port, pid };
            }
            assert!(keeper.log().contains("Address already in use"), "dropbear: {}", keeper.log());
        }
        panic!("no dropbear: {}", keeper.log());
    }
}

/// Returns flags to run in the foreground, log to standard error, and write its own PID file.
pub(crate) fn flags(dir: &str, port: u16) -> String {
    format!("-F -E -p {ADDRESS}:{port} -r {dir}/host_key -P {dir}/pid")
}
