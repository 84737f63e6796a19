//! The settings of a test's server.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::sync::OnceLock;

use super::Sshd;
use super::config::{Settings, Subsystem, render};
use crate::keeper::{Keeper, run_tool};
use crate::keys::{self, KeyType};
use crate::network::Namespace;
use crate::ports::{free_port, inside_port};

const SSHD: &str = "/usr/sbin/sshd";

/// The basename by which sshd finds `/etc/pam.d/sshd-hostlink`, which asks a second question.
const SSHD_WITH_QUESTION: &str = "sshd-hostlink";

/// The number of ports that are tried.
const TRIES: usize = 20;

/// The settings of an [`Sshd`]; see [`Sshd::builder()`].
#[derive(Clone, Debug, Default)]
pub struct SshdBuilder {
    settings: Settings,
    addresses: Vec<IpAddr>,
    port: Option<u16>,
    namespace: Option<String>,
}

impl SshdBuilder {
    /// Listens here instead of on 127.0.0.1. Can be repeated. With 0.0.0.0, the addresses
    /// 127.0.1.1, 127.0.1.2 … are as many hosts.
    ///
    /// # Panics
    ///
    /// If this is not an IP address.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.addresses.push(address.parse().expect("an IP address"));
        self
    }

    /// Listens at this port instead of a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Uses these host keys instead of one of type Ed25519.
    #[must_use]
    pub fn host_keys(mut self, types: &[KeyType]) -> Self {
        self.settings.host_keys = types.to_vec();
        self
    }

    /// Adds a line of sshd_config(5), which overrides the fixture's.
    #[must_use]
    pub fn config(mut self, line: &str) -> Self {
        self.settings.lines.push(line.to_owned());
        self
    }

    /// Adds lines of sshd_config(5) for connections that match, such as `User root`.
    #[must_use]
    pub fn config_where(mut self, criteria: &str, lines: &str) -> Self {
        self.settings.blocks.push(format!("Match {criteria}\n{lines}"));
        self
    }

    /// Limits the channels per connection; sshd's own default is 10.
    #[must_use]
    pub fn max_sessions(self, count: usize) -> Self {
        self.config(&format!("MaxSessions {count}"))
    }

    /// Sets `start:rate:full` for connections that have not logged in; sshd's own default is
    /// `10:30:100`.
    #[must_use]
    pub fn max_startups(self, limits: &str) -> Self {
        self.config(&format!("MaxStartups {limits}"))
    }

    /// Sets what serves SFTP.
    #[must_use]
    pub fn subsystem(mut self, subsystem: Subsystem) -> Self {
        self.settings.subsystem = subsystem;
        self
    }

    /// Uses PAM for accounts and sessions, as Debian's own configuration does.
    #[must_use]
    pub fn pam(mut self) -> Self {
        self.settings.methods.pam = true;
        self
    }

    /// Accepts passwords.
    #[must_use]
    pub fn passwords(mut self) -> Self {
        self.settings.methods.passwords = true;
        self
    }

    /// Accepts the password as the answer to a question of PAM: keyboard-interactive with one
    /// prompt.
    #[must_use]
    pub fn keyboard_interactive(mut self) -> Self {
        self.settings.methods.questions = true;
        self.pam()
    }

    /// Accepts the password like [`SshdBuilder::keyboard_interactive()`], and then asks for a code:
    /// see [`TestUser::second_factor()`](crate::user::TestUser::second_factor).
    #[must_use]
    pub fn two_prompts(mut self) -> Self {
        self.settings.methods.second_factor = true;
        self.keyboard_interactive()
    }

    /// Runs in a network namespace, at a port that is unused outside.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.name().to_owned());
        self
    }

    /// Starts the server, and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it does not; the message has its log.
    #[must_use]
    pub fn start(mut self) -> Sshd {
        if self.addresses.is_empty() {
            self = self.listen("127.0.0.1");
        }
        if self.settings.host_keys.is_empty() {
            self = self.host_keys(&[KeyType::Ed25519]);
        }
        let mut keeper = Keeper::start();
        self.prepare(&keeper);
        let tries = if self.port.is_some() { 1 } else { TRIES };
        let started = (0..tries).find_map(|_| self.try_start(&mut keeper));
        let (pid, port) = started.unwrap_or_else(|| panic!("no sshd: {}", keeper.log()));
        self.write_known_hosts(&keeper, port);
        Sshd { keeper, addresses: self.addresses, port, pid }
    }

    fn prepare(&self, keeper: &Keeper) {
        // The directory is on a tmpfs, so it is gone after a reboot. sshd(8) requires that it
        // exists and is empty.
        fs::create_dir_all("/run/sshd").expect("tests run as root");
        for name in ["authorized_keys", "authorities"] {
            keeper.write(name, 0o644, "");
        }
        for key in &self.settings.host_keys {
            keys::generate(&keeper.dir().join(format!("host_{}", key.name())), *key, "");
        }
        if self.settings.methods.second_factor {
            symlink(SSHD, keeper.dir().join(SSHD_WITH_QUESTION)).expect("the directory is ours");
        }
    }

    /// Returns `None` if an address is in use.
    fn try_start(&self, keeper: &mut Keeper) -> Option<(u32, u16)> {
        let free = || match self.namespace {
            Some(_) => inside_port(),
            None => free_port(&self.addresses),
        };
        let port = self.port.unwrap_or_else(free);
        let mut config = render(&self.settings, keeper.dir(), &self.addresses, port);
        config.insert_str(0, &version_lines(self.settings.methods.second_factor));
        keeper.write("sshd_config", 0o600, &config);
        let pid = keeper.run(&self.command(keeper));
        let lines = |keeper: &Keeper, text| keeper.log().matches(text).count();
        let is_ready = keeper.wait_until_ready(|| {
            let listening = lines(keeper, "Server listening on ");
            listening + lines(keeper, "Address already in use") >= self.addresses.len()
        });
        if lines(keeper, "Address already in use") > 0 {
            keeper.stop(pid);
            return None;
        }
        assert!(is_ready, "sshd ended: {}", keeper.log());
        Some((pid, port))
    }

    /// sshd starts itself again for every connection, so it must be called by an absolute path.
    fn command(&self, keeper: &Keeper) -> String {
        let dir = keeper.dir().display();
        let program = match self.settings.methods.second_factor {
            true => format!("{dir}/{SSHD_WITH_QUESTION}"),
            false => SSHD.to_owned(),
        };
        let inside = self.namespace.as_ref().map(|it| format!("nsenter --net=/run/netns/{it} "));
        format!("exec {}{program} -D -e -f {dir}/sshd_config", inside.unwrap_or_default())
    }

    fn write_known_hosts(&self, keeper: &Keeper, port: u16) {
        let hosts = if port == 22 { "*".to_owned() } else { format!("[*]:{port}") };
        let line = |key: &KeyType| {
            let file = keeper.dir().join(format!("host_{}.pub", key.name()));
            let public = fs::read_to_string(file).expect("ssh-keygen wrote it");
            format!("{hosts} {public}")
        };
        let lines: String = self.settings.host_keys.iter().map(line).collect();
        keeper.write("known_hosts", 0o644, &lines);
    }
}

/// Returns settings that older servers do not know. Since 9.8 an address whose logins fail is
/// blocked for a while, which breaks tests of failures, and the program's name is no longer the PAM
/// service.
fn version_lines(second_factor: bool) -> String {
    static SAID: OnceLock<String> = OnceLock::new();
    // A version that does not know the flag prints its version, and fails.
    let said = SAID.get_or_init(|| run_tool("sh", &["-c", "/usr/sbin/sshd -V 2>&1 || :"]));
    let mut lines = String::new();
    if version(said) >= Some((9, 8)) {
        lines.push_str("PerSourcePenalties no\n");
        if second_factor {
            lines.push_str(&format!("PAMServiceName {SSHD_WITH_QUESTION}\n"));
        }
    }
    lines
}

/// Parses `OpenSSH_9.2p1 Debian-2, …`.
fn version(said: &str) -> Option<(u32, u32)> {
    let (_, rest) = said.split_once("OpenSSH_")?;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("OpenSSH_9.2, OpenSSL 3.0.19"), Some((9, 2)));
        assert_eq!(version("x\nOpenSSH_10.0p2 Debian-7"), Some((10, 0)));
        assert_eq!(version("unknown option -- V"), None);
    }
}
