//! The users that the tests log in as.
//!
//! A login shell is a property of a user, so `sudo -i` and `su -l` reach fish and tcsh through
//! users with these shells.

use anyhow::Context;
use xshell::{Shell, cmd};

/// A user without a password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: &'static str,
    shell: &'static str,
}

/// All users. A test that needs another one adds its row here.
pub(crate) const USERS: &[User] = &[
    User { name: "hostlink-fish", shell: "/usr/bin/fish" },
    User { name: "hostlink-tcsh", shell: "/usr/bin/tcsh" },
];

/// Returns the users that this machine does not have.
pub(crate) fn missing(sh: &Shell) -> anyhow::Result<Vec<&'static User>> {
    let known = sh.read_file("/etc/passwd").context("cannot read the list of users")?;
    Ok(missing_in(&known))
}

/// Makes a user with a home directory.
///
/// # Errors
///
/// If the caller is not root.
pub(crate) fn add(sh: &Shell, user: &User) -> anyhow::Result<()> {
    let User { name, shell } = user;
    cmd!(sh, "useradd --create-home --shell {shell} {name}")
        .run()
        .with_context(|| format!("cannot add the user {name}"))
}

fn missing_in(passwd: &str) -> Vec<&'static User> {
    let is_there =
        |user: &User| passwd.lines().any(|line| line.split(':').next() == Some(user.name));
    USERS.iter().filter(|user| !is_there(user)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_there_if_a_line_of_passwd_begins_with_its_name() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nhostlink-fish:x:1:1::/:/usr/bin/fish\nxhostlink-tcsh:x\n";
        let names: Vec<_> = missing_in(passwd).iter().map(|user| user.name).collect();
        assert_eq!(names, ["hostlink-tcsh"]);
    }
}
