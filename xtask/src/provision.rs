//! Installs what [`crate::components`] lists, on Debian and what descends from it.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use crate::components::{self, Component, Group};
use crate::{pam, sweep, users};

/// Installs what is missing of `groups`; does nothing where everything is there.
///
/// # Errors
///
/// If something is missing and the caller is not root, the system has no `apt-get`, the packages
/// cannot be installed, or a component is still missing after that.
pub(crate) fn run(sh: &Shell, groups: &[Group]) -> anyhow::Result<()> {
    let missing = components::missing(groups);
    if !missing.is_empty() {
        let packages = packages(&missing);
        ensure_debian(sh, &packages)?;
        ensure_root(sh, &packages)?;
        install(sh, &packages)?;
    }
    for user in users::missing(sh)? {
        ensure_root(sh, &[user.name])?;
        users::add(sh, user)?;
    }
    for service in pam::missing(sh) {
        ensure_root(sh, &[service.name])?;
        pam::write(sh, service)?;
    }
    sweep::run(sh)?;
    let missing = names(&components::missing(groups));
    ensure!(missing.is_empty(), "still missing after the installation: {}", missing.join(", "));
    println!("provision: all that the tests need is there");
    Ok(())
}

fn install(sh: &Shell, packages: &[&str]) -> anyhow::Result<()> {
    // A package that asks a question would wait for an answer that CI cannot give.
    let _frontend = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    cmd!(sh, "apt-get update -qq").run().context("cannot read the package lists")?;
    cmd!(sh, "apt-get install -y --no-install-recommends {packages...}")
        .run()
        .with_context(|| format!("cannot install {}", packages.join(", ")))
}

fn ensure_debian(sh: &Shell, packages: &[&str]) -> anyhow::Result<()> {
    let release = sh.read_file("/etc/os-release").unwrap_or_default();
    ensure!(
        is_debian(&release),
        "--provision knows Debian and Ubuntu only; install what these packages of Debian bring: {}",
        packages.join(", ")
    );
    Ok(())
}

fn ensure_root(sh: &Shell, packages: &[&str]) -> anyhow::Result<()> {
    let user = cmd!(sh, "id -u").quiet().read().context("cannot tell who is running this")?;
    ensure!(user == "0", "--provision must be run as root to install {}", packages.join(", "));
    Ok(())
}

/// Reads `ID` and `ID_LIKE` of os-release(5).
fn is_debian(release: &str) -> bool {
    let values = release.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key, "ID" | "ID_LIKE").then(|| value.trim_matches(['"', '\'']))
    });
    values.flat_map(str::split_whitespace).any(|id| matches!(id, "debian" | "ubuntu"))
}

/// Sorted and without repetition: one package may bring several components.
fn packages(missing: &[&Component]) -> Vec<&'static str> {
    missing.iter().map(|it| it.package).collect::<BTreeSet<_>>().into_iter().collect()
}

fn names(missing: &[&Component]) -> Vec<&'static str> {
    missing.iter().map(|it| it.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::COMPONENTS;

    #[test]
    fn debian_and_its_descendants_are_recognised() {
        assert!(is_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(is_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\nHOME_URL=\"https://example.org/debian\"\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn a_package_is_named_once() {
        let of_util_linux: Vec<_> =
            COMPONENTS.iter().filter(|it| it.package == "util-linux").collect();
        assert!(of_util_linux.len() > 1, "two rows share a package");
        assert_eq!(packages(&of_util_linux), ["util-linux"]);
    }
}
