//! OpenSSH's own `ssh`, isolated from the user: no configuration, no agent, no keys but those that
//! a test adds.

use std::fmt::{Display, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::keeper::Keeper;
use crate::keys::Key;

/// Settings for `ssh`. They are written to a file (ssh_config(5)), so they also apply to jumps.
#[derive(Debug)]
pub struct SshClient {
    keeper: Keeper,
    settings: Vec<String>,
    known_hosts: Vec<String>,
    answers: String,
    flags: Vec<String>,
}

impl SshClient {
    /// Returns a client that knows no host and has no key.
    #[must_use]
    pub fn new() -> Self {
        Self {
            keeper: Keeper::start(),
            settings: Vec::new(),
            known_hosts: Vec::new(),
            answers: String::new(),
            flags: Vec::new(),
        }
    }

    /// Sets an option of ssh_config(5), before the defaults of this type.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.settings.push(format!("{name} {value}"));
        self
    }

    /// Adds words to the command line, such as `-J` and hosts. As a setting, they would also apply
    /// to those hosts.
    #[must_use]
    pub fn flags(mut self, words: &[&str]) -> Self {
        self.flags.extend(words.iter().map(ToString::to_string));
        self
    }

    /// Accepts the host keys in this file, in addition to earlier ones.
    #[must_use]
    pub fn knows(mut self, known_hosts: &Path) -> Self {
        self.known_hosts.push(known_hosts.display().to_string());
        self
    }

    /// Offers this key, after earlier ones.
    #[must_use]
    pub fn key(self, key: &Key) -> Self {
        self.set("IdentityFile", key.path().display())
    }

    /// Answers a prompt that contains this text, which must have no characters that are special in
    /// a shell. Other prompts get an empty answer.
    #[must_use]
    pub fn answer(mut self, prompt: &str, answer: &str) -> Self {
        let quoted = answer.replace('\'', r"'\''");
        writeln!(self.answers, "*'{prompt}'*) printf '%s\\n' '{quoted}';;")
            .expect("writing to a String cannot fail");
        self
    }

    /// Returns `ssh`, `scp` or `sftp` with these settings, and no other arguments yet.
    ///
    /// # Panics
    ///
    /// If the settings cannot be written.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut text = self.settings.iter().fold(String::new(), |text, line| text + line + "\n");
        if !self.known_hosts.is_empty() {
            text.push_str(&format!("UserKnownHostsFile {}\n", self.known_hosts.join(" ")));
        }
        text.push_str(
            "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking yes\n\
             IdentityAgent none\nIdentitiesOnly yes\nIdentityFile none\nNumberOfPasswordPrompts 1\n\
             LogLevel ERROR\n",
        );
        let mut command = Command::new(program);
        if self.answers.is_empty() {
            text.push_str("BatchMode yes\n");
        } else {
            let script = format!("#!/bin/sh\ncase $1 in\n{}*) echo;;\nesac\n", self.answers);
            let askpass = self.keeper.write("askpass", 0o700, &script);
            command.env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force");
        }
        let config = self.keeper.write("config", 0o600, &text);
        command
            .arg("-F")
            .arg(config)
            .args(&self.flags)
            .stdin(Stdio::null())
            .env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Returns an `ssh` that runs this line of shell on the host.
    #[must_use]
    pub fn run(&self, user: &str, address: IpAddr, port: u16, line: &str) -> Command {
        let mut command = self.command("ssh");
        command.args(["-p", &port.to_string(), "-l", user, "--", &address.to_string(), line]);
        command
    }
}

impl Default for SshClient {
    fn default() -> Self {
        Self::new()
    }
}
