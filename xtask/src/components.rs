//! What the tests need on the machine, beyond a Rust toolchain.
//!
//! Tests use real programs, so a missing one is an error with a remedy, never a skipped test.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Groups of components, so that a machine can leave one out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Needed by every run of the tests.
    Base,
    /// Needed by the tests that drive a container engine.
    Docker,
}

/// One program that some test runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// How it is found: a command on `PATH`, or the absolute path of a file.
    pub(crate) probe: &'static str,
    /// The Debian package that contains it.
    pub(crate) package: &'static str,
    /// What the tests use it for.
    pub(crate) why: &'static str,
    pub(crate) group: Group,
}

/// All components. A test that needs another one adds its row here.
pub(crate) const COMPONENTS: &[Component] = &[
    base("bash", "bash", "the login shell that most targets have"),
    base("dash", "dash", "the `sh` of Debian, without any extension of bash"),
    base("busybox", "busybox-static", "the `sh` and `tar` of small images"),
    base("fish", "fish", "a login shell that is not POSIX"),
    base("zsh", "zsh", "completions in zsh"),
    base("tcsh", "tcsh", "a login shell of the csh family, which quotes differently"),
    base("sudo", "sudo", "running a command as another user"),
    base("su", "util-linux", "running a command as another user where there is no sudo"),
    Component {
        name: "PAM's headers",
        probe: "/usr/include/security/pam_appl.h",
        package: "libpam0g-dev",
        why: "building sudo-rs",
        group: Group::Base,
    },
    base("script", "bsdutils", "giving the CLI a real terminal"),
    base("setsid", "util-linux", "children that leave their process group"),
    base("rsync", "rsync", "copying over hostlink's link, on both sides"),
    base("tar", "tar", "checking the archives that copies are made of"),
    base("sshd", "openssh-server", "the SSH server that most targets have"),
    base("ssh", "openssh-client", "reaching targets, and making keys and agents for that"),
    Component {
        name: "sftp-server",
        probe: "/usr/lib/openssh/sftp-server",
        package: "openssh-sftp-server",
        why: "files over SFTP",
        group: Group::Base,
    },
    base("dropbear", "dropbear-bin", "the SSH server of small machines"),
    base("rsync", "rsync", "files over a connection that is open already"),
    base("parallel-ssh", "pssh", "the peer in benchmarks of many hosts"),
    base("google-authenticator", "libpam-google-authenticator", "a second question at a login"),
    base("oathtool", "oathtool", "answering that question"),
    base("ip", "iproute2", "networks that only a bastion reaches"),
    base("iptables", "iptables", "links that drop packets"),
    base("pkill", "procps", "ending the processes of test users"),
    base("useradd", "passwd", "users for one test"),
    base("strace", "strace", "a process that ends late"),
    base("unshare", "util-linux", "a small machine's mounts"),
    base("flock", "util-linux", "changing the machine one test at a time"),
    docker("docker", "docker.io", "starting the containers of the tests"),
    docker("podman", "podman", "the other engine"),
    docker("runc", "runc", "starting the containers of both"),
    docker("catatonit", "catatonit", "process 1 of Podman's containers"),
    docker("vagrant", "vagrant", "the machines of @vagrant"),
    Component {
        name: "netavark",
        probe: "/usr/lib/podman/netavark",
        package: "netavark",
        why: "the network of Podman's containers",
        group: Group::Docker,
    },
];

const fn base(command: &'static str, package: &'static str, why: &'static str) -> Component {
    Component { name: command, probe: command, package, why, group: Group::Base }
}

const fn docker(command: &'static str, package: &'static str, why: &'static str) -> Component {
    Component { name: command, probe: command, package, why, group: Group::Docker }
}

/// Returns whether this command is on `PATH` now.
pub(crate) fn has_command(command: &str) -> bool {
    is_present(command, &folders_of_path())
}

/// Returns the components of `groups` that are missing now.
pub(crate) fn missing(groups: &[Group]) -> Vec<&'static Component> {
    let folders = folders_of_path();
    of_groups(groups).filter(|component| !is_present(component.probe, &folders)).collect()
}

/// Returns the rows of `groups`.
pub(crate) fn of_groups(groups: &[Group]) -> impl Iterator<Item = &'static Component> {
    COMPONENTS.iter().filter(|component| groups.contains(&component.group))
}

fn folders_of_path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

fn is_present(probe: &str, folders: &[PathBuf]) -> bool {
    if probe.starts_with('/') {
        return Path::new(probe).exists();
    }
    folders.iter().any(|folder| is_executable(&folder.join(probe)))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_on_the_path_only() {
        assert!(is_present("sh", &["/nowhere".into(), "/bin".into()]));
        assert!(!is_present("sh", &["/nowhere".into()]));
        assert!(!is_present("no-such-command", &["/bin".into()]));
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_command() {
        assert!(!is_present("passwd", &["/etc".into()]));
    }

    #[test]
    fn an_absolute_probe_is_a_file() {
        assert!(is_present("/etc/passwd", &[]));
        assert!(!is_present("/etc/no-such-file", &[]));
    }
}
