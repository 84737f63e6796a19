//! The configuration of a test's sshd (sshd_config(5)), and its log.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use crate::keys::KeyType;

/// The program that serves SFTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subsystem {
    /// The program `sftp-server`, as Debian has it.
    #[default]
    SftpServer,
    /// The server inside sshd.
    InternalSftp,
    /// Any command, such as `/bin/false`.
    Command(String),
    /// A refusal.
    None,
}

impl Subsystem {
    fn command(&self) -> Option<&str> {
        match self {
            Self::SftpServer => Some("/usr/lib/openssh/sftp-server"),
            Self::InternalSftp => Some("internal-sftp"),
            Self::Command(command) => Some(command),
            Self::None => None,
        }
    }
}

/// The login methods, in addition to keys.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Methods {
    pub(super) pam: bool,
    pub(super) passwords: bool,
    pub(super) questions: bool,
    pub(super) second_factor: bool,
}

/// All settings but addresses and port.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) methods: Methods,
    pub(super) host_keys: Vec<KeyType>,
    pub(super) subsystem: Subsystem,
    pub(super) lines: Vec<String>,
    pub(super) blocks: Vec<String>,
}

/// The default key exchange of OpenSSH 9 takes both sides ten times the CPU time.
pub(crate) const CHEAP_KEY_EXCHANGE: &str = "KexAlgorithms curve25519-sha256";

/// Keeps root's shells from root's start-up files: those are the machine's, may be slow, and leave
/// their locks when a test kills the shell.
const ROOT: &str = "Match User root\nSetEnv HOME=/nonexistent";

/// Renders the file. The first value that sshd finds applies, so the test's own lines come first,
/// and its `Match` blocks last.
pub(super) fn render(it: &Settings, dir: &Path, addresses: &[IpAddr], port: u16) -> String {
    let dir = dir.display();
    let mut text = String::new();
    for line in &it.lines {
        add(&mut text, line);
    }
    add(&mut text, &format!("Port {port}"));
    for address in addresses {
        add(&mut text, &format!("ListenAddress {address}"));
    }
    for key in &it.host_keys {
        add(&mut text, &format!("HostKey {dir}/host_{}", key.name()));
    }
    add(&mut text, &format!("AuthorizedKeysFile {dir}/authorized_keys {dir}/authorized_keys.%u"));
    add(&mut text, &format!("TrustedUserCAKeys {dir}/authorities"));
    add(&mut text, "PidFile none\nLogLevel VERBOSE\nStrictModes no\nPermitRootLogin yes");
    add(&mut text, CHEAP_KEY_EXCHANGE);
    for (name, value) in [
        ("UsePAM", it.methods.pam),
        ("PasswordAuthentication", it.methods.passwords),
        ("KbdInteractiveAuthentication", it.methods.questions),
    ] {
        add(&mut text, &format!("{name} {}", if value { "yes" } else { "no" }));
    }
    if let Some(command) = it.subsystem.command() {
        add(&mut text, &format!("Subsystem sftp {command}"));
    }
    for block in &it.blocks {
        add(&mut text, block);
    }
    add(&mut text, ROOT);
    text
}

fn add(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

/// Counts logins. `Accepted key … found at …` is logged before a login, and does not mean that it
/// succeeded.
pub(super) fn logins(log: &str) -> usize {
    let is_login = |line: &&str| {
        line.starts_with("Accepted ") && line.contains(" for ") && line.contains(" ssh2")
    };
    log.lines().filter(is_login).count()
}

pub(super) fn refused_passwords(log: &str) -> usize {
    let starts = ["Failed password for ", "Failed keyboard-interactive"];
    log.lines().filter(|line| starts.iter().any(|start| line.starts_with(start))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
        Server listening on 127.0.0.1 port 10022.\n\
        Accepted key ED25519 SHA256:abc found at /tmp/keys:1\n\
        Accepted publickey for root from 127.0.0.1 port 5 ssh2: ED25519 SHA256:abc\n\
        Failed password for root from 127.0.0.1 port 6 ssh2\n\
        Failed publickey for root from 127.0.0.1 port 6 ssh2: RSA SHA256:abc\n\
        Failed keyboard-interactive/pam for hl from 127.0.0.1 port 7 ssh2\n";

    #[test]
    fn logins_and_refusals_are_counted() {
        assert_eq!(logins(LOG), 1);
        assert_eq!(refused_passwords(LOG), 2);
    }

    #[test]
    fn own_lines_come_first_and_blocks_last() {
        let settings = Settings {
            lines: vec!["MaxSessions 2".into()],
            blocks: vec!["Match User a\n  ForceCommand b".into()],
            subsystem: Subsystem::None,
            ..Settings::default()
        };
        let text = render(&settings, Path::new("/d"), &[IpAddr::from([127, 0, 0, 1])], 7);
        assert!(text.starts_with("MaxSessions 2\nPort 7\nListenAddress 127.0.0.1\n"), "{text}");
        assert!(text.contains("Match User a\n  ForceCommand b\nMatch User root\n"), "{text}");
        assert!(!text.contains("Subsystem"));
    }
}
