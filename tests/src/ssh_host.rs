//! Hosts over SSH as in hostlink's data: a server, its user, and the login.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};

use hostlink::{Data, Value};

use crate::busybox::BusyboxOnly;
use crate::dropbear::Dropbear;
use crate::keys::{Key, KeyType, Keys};
use crate::ssh_container::SshContainer;
use crate::sshd::Sshd;
use crate::sudoer::Sudoer;
use crate::user::TestUser;

/// A host that a test can connect to. Dropping this value removes the server, the user and the
/// keys.
#[derive(Debug)]
pub struct SshHost {
    /// The target's name.
    pub target: String,
    user: String,
    port: u16,
    key: PathBuf,
    known_hosts: PathBuf,
    _kept: Box<dyn Kept>,
}

/// A value that lives as long as the host.
trait Kept: Any + Send + Sync + fmt::Debug {}

impl<T: Any + Send + Sync + fmt::Debug> Kept for T {}

impl SshHost {
    /// Starts OpenSSH's server on this machine, and logs in as root.
    #[must_use]
    pub fn root() -> Self {
        Self::on(Sshd::builder().start())
    }

    /// Logs in as root on the caller's server.
    #[must_use]
    pub fn on(sshd: Sshd) -> Self {
        let key = new_key();
        sshd.authorize(&key.public());
        Self {
            target: sshd.address().to_string(),
            user: "root".into(),
            port: sshd.port(),
            key: key.path().into(),
            known_hosts: sshd.known_hosts(),
            _kept: Box::new((sshd, key)),
        }
    }

    /// Starts OpenSSH's server on this machine, and logs in as a user with this login shell.
    #[must_use]
    pub fn with_shell(shell: &str) -> Self {
        Self::with_shell_on(Sshd::builder().start(), shell)
    }

    /// Logs in on the caller's server as a user with this login shell.
    #[must_use]
    pub fn with_shell_on(sshd: Sshd, shell: &str) -> Self {
        let user = TestUser::create(shell);
        let host = Self::on(sshd);
        Self { user: user.name().into(), _kept: Box::new((host._kept, user)), ..host }
    }

    /// Starts OpenSSH's server on this machine, and logs in as a user who may do everything with
    /// sudo, without a password.
    #[must_use]
    pub fn sudoer() -> Self {
        let user = TestUser::create("/bin/bash");
        let sudoer = Sudoer::without_password(user.name());
        let host = Self::root();
        Self { user: user.name().into(), _kept: Box::new((host._kept, user, sudoer)), ..host }
    }

    /// Starts dropbear on this machine, and logs in as a user whose login shell is bash.
    #[must_use]
    pub fn dropbear() -> Self {
        let (server, user, key) = (Dropbear::start(), TestUser::create("/bin/bash"), new_key());
        user.authorize(&key.public());
        Self {
            target: server.address().to_string(),
            user: user.name().into(),
            port: server.port(),
            key: key.path().into(),
            known_hosts: server.known_hosts(),
            _kept: Box::new((server, user, key)),
        }
    }

    /// Starts dropbear on a machine that has only busybox, and logs in as root.
    #[must_use]
    pub fn busybox() -> Self {
        let (machine, key) = (BusyboxOnly::start(), new_key());
        machine.authorize(&key.public());
        Self {
            target: machine.server().address().to_string(),
            user: "root".into(),
            port: machine.server().port(),
            key: key.path().into(),
            known_hosts: machine.server().known_hosts(),
            _kept: Box::new((machine, key)),
        }
    }

    /// Starts OpenSSH's server in a container, and logs in as root.
    #[must_use]
    pub fn container() -> Self {
        let server = SshContainer::start();
        Self {
            target: server.address().ip().to_string(),
            user: "root".into(),
            port: server.address().port(),
            key: server.identity(),
            known_hosts: server.known_hosts(),
            _kept: Box::new(server),
        }
    }

    /// Starts OpenSSH's server in a container that is named as the target: the engine knows the
    /// address.
    ///
    /// # Panics
    ///
    /// If the server does not start.
    #[must_use]
    pub fn container_by_name() -> Self {
        let server = SshContainer::start();
        server.is_known_as_container();
        Self {
            target: format!("@dockerssh/{}", server.container().name()),
            user: "root".into(),
            port: server.address().port(),
            key: server.identity(),
            known_hosts: server.known_hosts(),
            _kept: Box::new(server),
        }
    }

    /// Returns the data for a login with a key.
    #[must_use]
    pub fn data(&self) -> Data {
        login_data(&self.user, self.port, &self.key, &self.known_hosts)
    }
}

fn new_key() -> Key {
    Keys::new().make(KeyType::Ed25519)
}

/// Returns data that use nothing of the test's machine, and a cheap key exchange.
pub(crate) fn login_data(user: &str, port: u16, key: &Path, known_hosts: &Path) -> Data {
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
}
