//! The PAM services that the tests' SSH servers use.
//!
//! A service is found in `/etc/pam.d` only, so a test cannot bring its own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use xshell::Shell;

/// One file of `/etc/pam.d`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    text: &'static str,
}

/// All services. A test that needs another one adds its row here.
pub(crate) const SERVICES: &[Service] = &[Service {
    name: "sshd-hostlink",
    text: "\
# Of the tests of hostlink: a password, and then a code. Without the delay after a wrong one.
auth required pam_unix.so nodelay
auth required pam_google_authenticator.so
account required pam_unix.so
session required pam_unix.so
",
}];

/// Returns the services that this machine lacks, or has in another version.
pub(crate) fn missing(sh: &Shell) -> Vec<&'static Service> {
    let is_there = |it: &Service| sh.read_file(path(it)).is_ok_and(|text| text == it.text);
    SERVICES.iter().filter(|it| !is_there(it)).collect()
}

/// Writes a service.
///
/// # Errors
///
/// If the caller is not root.
pub(crate) fn write(sh: &Shell, service: &Service) -> anyhow::Result<()> {
    sh.write_file(path(service), service.text)
        .with_context(|| format!("cannot write the PAM service {}", service.name))
}

fn path(service: &Service) -> PathBuf {
    Path::new("/etc/pam.d").join(service.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_service_of_the_system_is_overwritten() {
        assert!(SERVICES.iter().all(|it| it.name.contains("hostlink")));
    }

    #[test]
    fn a_service_asks_for_a_password_first() {
        for it in SERVICES {
            let first = it.text.lines().find(|line| line.starts_with("auth "));
            assert!(first.is_some_and(|line| line.contains("pam_unix.so")), "{}", it.name);
        }
    }
}
