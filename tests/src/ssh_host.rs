//! Hosts over SSH as hostlink's own data names them: a server, who logs in on it, and how.

use std::any::Any;
use std::path::Path;

use hostlink::{Data, Value};

use crate::busybox::BusyboxOnly;
use crate::dropbear::Dropbear;
use crate::keys::{Key, KeyType, Keys};
use crate::ssh_container::SshContainer;
use crate::sshd::Sshd;
use crate::user::TestUser;

/// A host that a test can connect to. The server, the user and the keys end with this value.
#[derive(Debug)]
pub struct SshHost {
    /// The target's name.
    pub target: String,
    /// All that is needed to log in with a key.
    pub data: Data,
    _kept: Box<dyn Kept>,
}

/// What lives as long as the host.
trait Kept: Any + Send + Sync + std::fmt::Debug {}

impl<T: Any + Send + Sync + std::fmt::Debug> Kept for T {}

impl SshHost {
    /// OpenSSH's server on this machine, as root.
    #[must_use]
    pub fn root() -> Self {
        Self::on(Sshd::builder().start())
    }

    /// The same with a server of the caller's.
    #[must_use]
    pub fn on(sshd: Sshd) -> Self {
        let key = new_key();
        sshd.authorize(&key.public());
        let data = login_data("root", sshd.port(), key.path(), &sshd.known_hosts());
        Self { target: sshd.address().to_string(), data, _kept: Box::new((sshd, key)) }
    }

    /// OpenSSH's server on this machine, as a user with this login shell.
    #[must_use]
    pub fn with_shell(shell: &str) -> Self {
        Self::with_shell_on(Sshd::builder().start(), shell)
    }

    /// The same with a server of the caller's.
    #[must_use]
    pub fn with_shell_on(sshd: Sshd, shell: &str) -> Self {
        let (user, key) = (TestUser::create(shell), new_key());
        sshd.authorize(&key.public());
        let data = login_data(user.name(), sshd.port(), key.path(), &sshd.known_hosts());
        Self { target: sshd.address().to_string(), data, _kept: Box::new((sshd, user, key)) }
    }

    /// dropbear on this machine, as a user whose login shell is bash.
    #[must_use]
    pub fn dropbear() -> Self {
        let (server, user, key) = (Dropbear::start(), TestUser::create("/bin/bash"), new_key());
        user.authorize(&key.public());
        let data = login_data(user.name(), server.port(), key.path(), &server.known_hosts());
        Self { target: server.address().to_string(), data, _kept: Box::new((server, user, key)) }
    }

    /// dropbear on a machine that has busybox and nothing else, as root.
    #[must_use]
    pub fn busybox() -> Self {
        let (machine, key) = (BusyboxOnly::start(), new_key());
        machine.authorize(&key.public());
        let server = machine.server();
        let data = login_data("root", server.port(), key.path(), &server.known_hosts());
        Self { target: server.address().to_string(), data, _kept: Box::new((machine, key)) }
    }

    /// OpenSSH's server in a container, as root.
    #[must_use]
    pub fn container() -> Self {
        let server = SshContainer::start();
        let (address, identity) = (server.address(), server.identity());
        let data = login_data("root", address.port(), &identity, &server.known_hosts());
        Self { target: address.ip().to_string(), data, _kept: Box::new(server) }
    }
}

fn new_key() -> Key {
    Keys::new().make(KeyType::Ed25519)
}

/// Nothing of the machine that the test runs on is used, and no more than a key exchange that costs little.
fn login_data(user: &str, port: u16, key: &Path, known_hosts: &Path) -> Data {
    let path = |path: &Path| Value::from(path.display().to_string());
    Data::new()
        .with("ssh_user", user)
        .with("ssh_port", i64::from(port))
        .with("ssh_key", path(key))
        .with("ssh_known_hosts_file", path(known_hosts))
        .with("ssh_strict_host_key_checking", "yes")
        .with("ssh_allow_agent", false)
        .with("ssh_look_for_keys", false)
        .with("ssh_config_file", "none")
        .with("ssh_options", vec![Value::from("KexAlgorithms=curve25519-sha256")])
}
