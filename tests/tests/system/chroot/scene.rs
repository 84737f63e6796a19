//! What these tests share.

use hostlink::{
    CommandOutput, ConnectorArguments, Context, Data, Error, Link, Result, StringCommand,
    builtin_registry,
};
use hostlink_tests::chroot::{Root, target};
use hostlink_tests::cli::hostlink;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::user::TestUser;

/// The password for the user's sudo.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) async fn connect(name: &str, data: &Data) -> Result<Link> {
    builtin_registry().connect(name, data, &Context::default()).await
}

/// Opens a link into a root of this machine.
pub(crate) async fn enter(root: &Root) -> Link {
    connect(&root.target(), &Data::new()).await.unwrap()
}

pub(crate) fn plain() -> ConnectorArguments {
    ConnectorArguments::new()
}

pub(crate) async fn run(
    link: &Link,
    line: &str,
    arguments: &ConnectorArguments,
) -> Result<CommandOutput> {
    link.run_shell_command(&StringCommand::shell(line), arguments).await
}

/// Returns the error of a connection that must fail.
pub(crate) async fn refused(name: &str, data: &Data) -> Error {
    match connect(name, data).await {
        Ok(_) => panic!("{name} was entered"),
        Err(error) => error,
    }
}

/// A user of this machine who is not root, on its sshd.
pub(crate) struct Somebody {
    pub(crate) ssh: SshTarget,
    pub(crate) user: TestUser,
    password: Option<&'static str>,
    _sudoer: Option<Sudoer>,
}

impl Somebody {
    /// A user without sudo rules.
    pub(crate) fn without_rights() -> Self {
        let user = TestUser::create("/bin/bash");
        Self {
            ssh: SshTarget::as_user(user.name(), Sshd::builder()),
            user,
            password: None,
            _sudoer: None,
        }
    }

    /// A user who may use sudo without a password.
    pub(crate) fn trusted() -> Self {
        let somebody = Self::without_rights();
        let sudoer = Sudoer::without_password(somebody.user.name());
        Self { _sudoer: Some(sudoer), ..somebody }
    }

    /// A user whose sudo requires [`PASSWORD`].
    pub(crate) fn asked() -> Self {
        let somebody = Self::without_rights();
        somebody.user.set_password(PASSWORD);
        let sudoer = Sudoer::with_password(somebody.user.name());
        Self { password: Some(PASSWORD), _sudoer: Some(sudoer), ..somebody }
    }

    /// A user without a password for sudo, whose commands run on the given terminal and not on a
    /// new one.
    pub(crate) fn trusted_without_pty() -> Self {
        let somebody = Self::without_rights();
        let name = somebody.user.name();
        let line = format!("Defaults:{name} !use_pty\n{name} ALL=(ALL:ALL) NOPASSWD: ALL");
        let sudoer = Sudoer::allowed(&line);
        Self { _sudoer: Some(sudoer), ..somebody }
    }

    /// Returns the name of a root of this machine, entered as this user.
    pub(crate) fn target(&self, root: &Root) -> String {
        format!("@ssh/{}/{}", self.ssh.name(), target(&root.dir()))
    }

    /// Returns the data to log in and to use sudo, without the password.
    pub(crate) fn data(&self) -> Data {
        let mut data = self.ssh.data.clone();
        data.insert("chroot_sudo", true);
        data
    }

    /// Opens a link into a root of this machine.
    pub(crate) async fn enter(&self, root: &Root) -> Link {
        let mut data = self.data();
        if let Some(password) = self.password {
            data.insert("chroot_sudo_password", password);
        }
        connect(&self.target(root), &data).await.unwrap()
    }

    /// Returns the command `hostlink` with the data to enter a root as this user.
    pub(crate) fn hostlink(&self, root: &Root, words: &[&str]) -> std::process::Command {
        let mut all = self.ssh.words();
        all.pop();
        all.extend(["--data".to_owned(), "chroot_sudo=true".to_owned(), self.target(root)]);
        all.extend(words.iter().map(|word| (*word).to_owned()));
        hostlink(all)
    }
}
