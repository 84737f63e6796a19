//! Installs what [`crate::components`] lists, on Debian and its derivatives, and provides a
//! container engine with images.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use crate::components::{self, Component, Group};
use crate::engine::{self, ENGINES, Engine};
use crate::images::{self, Image};
use crate::{pam, sudo_rs, sweep, terraform, users, vagrant};

/// Installs what is missing of `groups`. Does nothing if everything is there.
///
/// # Errors
///
/// If something is missing and the caller is not root, the system has no `apt-get`, the packages
/// cannot be installed, a component is still missing after that, the engine does not start, or an
/// image cannot be built.
pub(crate) fn run(sh: &Shell, groups: &[Group]) -> anyhow::Result<()> {
    timed("packages", || install_components(sh, groups))?;
    timed("users", || add_users(sh))?;
    provide_sudo_rs(sh)?;
    provide_roots(sh)?;
    if groups.contains(&Group::Docker) {
        for engine in ENGINES {
            provide_containers(sh, engine)?;
        }
        provide_machines(sh)?;
    }
    sweep::run(sh)?;
    if terraform::is_there() {
        println!("provision: everything that the tests need is there");
    } else {
        println!("provision: everything is there but {}", terraform::BY_HAND);
    }
    Ok(())
}

fn install_components(sh: &Shell, groups: &[Group]) -> anyhow::Result<()> {
    let missing = components::missing(groups);
    if missing.is_empty() {
        return Ok(());
    }
    install(sh, &packages(&missing))?;
    let missing = names(&components::missing(groups));
    ensure!(missing.is_empty(), "still missing after the installation: {}", missing.join(", "));
    Ok(())
}

fn add_users(sh: &Shell) -> anyhow::Result<()> {
    for user in users::missing(sh)? {
        ensure_root(sh, &[user.name])?;
        users::add(sh, user)?;
    }
    for service in pam::missing(sh) {
        ensure_root(sh, &[service.name])?;
        pam::write(sh, service)?;
    }
    Ok(())
}

fn provide_sudo_rs(sh: &Shell) -> anyhow::Result<()> {
    if sudo_rs::is_there(sh) {
        return Ok(());
    }
    ensure_root(sh, &["sudo-rs"])?;
    let _lock = engine::lock()?;
    timed("sudo-rs", || sudo_rs::build(sh))
}

fn provide_roots(sh: &Shell) -> anyhow::Result<()> {
    if images::missing_roots().is_empty() {
        return Ok(());
    }
    ensure_root(sh, &["the roots of the tests"])?;
    let _lock = engine::lock()?;
    // Check again, as another run may have had the lock.
    for image in images::missing_roots() {
        timed(&format!("root of {}", image.name), || make_root(sh, image))?;
    }
    Ok(())
}

fn provide_containers(sh: &Shell, engine: Engine) -> anyhow::Result<()> {
    if engine.answers(sh) && images::missing(sh, engine).is_empty() {
        return Ok(());
    }
    ensure_root(sh, &["a container engine with the images of the tests"])?;
    let _lock = engine::lock()?;
    timed(&engine.to_string(), || provide_engine(sh, engine))?;
    for image in images::missing(sh, engine) {
        timed(&format!("{} to {engine}", image.name), || images::import(sh, engine, image))?;
    }
    Ok(())
}

fn provide_machines(sh: &Shell) -> anyhow::Result<()> {
    if vagrant::is_there(sh) {
        return Ok(());
    }
    let _lock = engine::lock()?;
    timed(vagrant::IMAGE, || if vagrant::is_there(sh) { Ok(()) } else { vagrant::make(sh) })
}

fn provide_engine(sh: &Shell, engine: Engine) -> anyhow::Result<()> {
    if engine.answers(sh) {
        return Ok(());
    }
    if engine == Engine::Docker && !components::has_command("dockerd") {
        install(sh, &["docker.io"])?;
    }
    // Its package may have started it.
    if engine.answers(sh) { Ok(()) } else { engine.start(sh) }
}

fn make_root(sh: &Shell, image: &Image) -> anyhow::Result<()> {
    if let Some(tool) = image.tool.filter(|it| !components::has_command(it)) {
        install(sh, &[tool])?;
    }
    images::make_root(sh, image)
}

/// Prints how long the work took, as CI has little time.
fn timed(name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let start = Instant::now();
    work()?;
    println!("provision: {name:<32}{:>6.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn install(sh: &Shell, packages: &[&str]) -> anyhow::Result<()> {
    ensure_debian(sh, packages)?;
    ensure_root(sh, packages)?;
    // A package that asks a question would block CI.
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
        "--provision knows Debian and Ubuntu only; install what these Debian packages contain: {}",
        packages.join(", ")
    );
    Ok(())
}

fn ensure_root(sh: &Shell, packages: &[&str]) -> anyhow::Result<()> {
    let user = cmd!(sh, "id -u").quiet().read().context("cannot get the user ID")?;
    ensure!(user == "0", "--provision must be run as root to install {}", packages.join(", "));
    Ok(())
}

/// Parses `ID` and `ID_LIKE` of os-release(5).
fn is_debian(release: &str) -> bool {
    let values = release.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key, "ID" | "ID_LIKE").then(|| value.trim_matches(['"', '\'']))
    });
    values.flat_map(str::split_whitespace).any(|id| matches!(id, "debian" | "ubuntu"))
}

/// Returns packages, sorted and without duplicates: one package may contain several components.
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
