//! `cargo xtask test`: everything that the tests need, then the tests.

use std::ffi::OsString;
use std::fmt;
use std::thread::available_parallelism;

use anyhow::Context;
use clap::Args;
use xshell::{Shell, cmd};

use crate::components::{self, Component, Group};
use crate::engine::{ENGINES, Engine};
use crate::pam::{self, Service};
use crate::users::{self, User};
use crate::{images, orphans, provision, sudo_rs, vagrant};

/// How to run the tests.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TestOptions {
    /// Install what the tests need first (root, Debian or Ubuntu)
    #[arg(long)]
    provision: bool,
    /// Do without container engines, and leave out the tests that need one
    #[arg(long)]
    no_docker: bool,
    /// Rewrite the committed expectations instead of comparing with them
    #[arg(long)]
    bless: bool,
    /// Run only the tests whose name contains one of these; leaves out doc tests and the matrix
    #[arg(value_name = "FILTER")]
    filters: Vec<OsString>,
}

/// Runs the tests; the first thing that fails ends it.
///
/// # Errors
///
/// [`Missing`] before anything is built; otherwise the command that failed.
pub(crate) fn run(sh: &Shell, options: &TestOptions) -> anyhow::Result<()> {
    require_components(sh, options)?;
    remove_orphans(sh, options);
    let _bless = options.bless.then(|| sh.push_env("HOSTLINK_BLESS", "1"));

    // The tests drive the binary of the CLI, which a test of another package does not build.
    cmd!(sh, "cargo build --package hostlink-cli --all-features").run()?;
    let tested = run_tests(sh, options);
    // Those of programs that a test has killed.
    remove_orphans(sh, options);
    tested?;
    if options.filters.is_empty() {
        cmd!(sh, "cargo test --doc --workspace --all-features").run()?;
        run_matrix(sh)?;
    }
    Ok(())
}

fn remove_orphans(sh: &Shell, options: &TestOptions) {
    if !options.no_docker {
        for engine in ENGINES {
            orphans::remove(sh, engine);
        }
    }
}

fn require_components(sh: &Shell, options: &TestOptions) -> anyhow::Result<()> {
    let groups = wanted_groups(options);
    if options.provision {
        return provision::run(sh, groups);
    }
    let components = components::missing(groups);
    let users = users::missing(sh)?;
    let services = pam::missing(sh);
    let mut containers = missing_roots();
    containers.extend((!sudo_rs::is_there(sh)).then(|| "sudo-rs of the version for tests".into()));
    if groups.contains(&Group::Docker) {
        containers.extend(ENGINES.iter().flat_map(|engine| missing_containers(sh, *engine)));
        let machine = format!("the image {} as its recipe is now", vagrant::IMAGE);
        containers.extend((!vagrant::is_there(sh)).then_some(machine));
    }
    if components.is_empty() && users.is_empty() && services.is_empty() && containers.is_empty() {
        return Ok(());
    }
    Err(Missing { components, users, services, containers }.into())
}

fn wanted_groups(options: &TestOptions) -> &'static [Group] {
    if options.no_docker { &[Group::Base] } else { &[Group::Base, Group::Docker] }
}

fn missing_roots() -> Vec<String> {
    images::missing_roots()
        .iter()
        .map(|it| format!("the root of {} as its recipe is now", it.name))
        .collect()
}

fn missing_containers(sh: &Shell, engine: Engine) -> Vec<String> {
    if !engine.answers(sh) {
        return vec![format!("a {engine} that answers")];
    }
    let images = images::missing(sh, engine).into_iter();
    images.map(|it| format!("the image {} in {engine} as its recipe is now", it.name)).collect()
}

/// What the tests need and this machine does not have.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    components: Vec<&'static Component>,
    users: Vec<&'static User>,
    services: Vec<&'static Service>,
    /// Roots, engines and their images, in words.
    containers: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components = self.components.iter().map(|it| format!("{} ({})", it.name, it.why));
        let users = self.users.iter().map(|it| format!("the user {}", it.name));
        let services = self.services.iter().map(|it| format!("the PAM service {}", it.name));
        let containers = self.containers.iter().cloned();
        let all: Vec<String> = components.chain(users).chain(services).chain(containers).collect();
        write!(
            f,
            "the tests need {}; get what is missing with `cargo xtask test --provision`",
            all.join(", ")
        )
    }
}

impl std::error::Error for Missing {}

/// What the path of a test that needs an engine contains: the name of the module that it is in.
const WITH_DOCKER: &str = "with_docker";

/// Prefers nextest, which runs each test in a process of its own.
fn run_tests(sh: &Shell, options: &TestOptions) -> anyhow::Result<()> {
    let words = test_words(options);
    let nextest = cmd!(sh, "cargo nextest --version").quiet().ignore_stdout().ignore_stderr();
    if nextest.run().is_ok() {
        // Most tests wait most of their time: for a server, a limit, a silence.
        let threads = (2 * available_parallelism().map_or(1, usize::from)).to_string();
        let run = ["--workspace", "--all-features", "--test-threads", &threads];
        cmd!(sh, "cargo nextest run {run...} -- {words...}").run()?;
    } else {
        let scope = ["--workspace", "--all-targets", "--all-features"];
        cmd!(sh, "cargo test {scope...} --no-fail-fast -- {words...}").run()?;
    }
    Ok(())
}

/// Which tests to run, as the test programs and nextest both understand it.
fn test_words(options: &TestOptions) -> Vec<OsString> {
    let skipped = if options.no_docker { &["--skip", WITH_DOCKER][..] } else { &[] };
    skipped.iter().map(OsString::from).chain(options.filters.iter().cloned()).collect()
}

/// Prints cases × fixtures; fails if the committed `tests/conformance.md` says otherwise.
fn run_matrix(sh: &Shell) -> anyhow::Result<()> {
    let test = ["--package", "hostlink-tests", "--test", "conformance"];
    cmd!(sh, "cargo test --quiet {test...} --all-features -- --matrix")
        .run()
        .context("the conformance matrix differs (`cargo xtask test --bless` rewrites it)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_one_line_with_name_reason_and_remedy() {
        let fish = components::COMPONENTS.iter().filter(|it| it.name == "fish").collect();
        let missing = Missing {
            components: fish,
            users: vec![&users::USERS[0]],
            services: vec![&pam::SERVICES[0]],
            containers: vec!["a dockerd that answers".to_owned()],
        };
        assert_eq!(
            missing.to_string(),
            "the tests need fish (a login shell that is not POSIX), the user hostlink-fish, \
             the PAM service sshd-hostlink, a dockerd that answers; \
             get what is missing with `cargo xtask test --provision`"
        );
    }

    #[test]
    fn docker_is_left_out_on_demand_only() {
        let without = TestOptions { no_docker: true, ..TestOptions::default() };
        assert_eq!(wanted_groups(&without), [Group::Base]);
        assert_eq!(test_words(&without), ["--skip", WITH_DOCKER]);
        assert_eq!(wanted_groups(&TestOptions::default()), [Group::Base, Group::Docker]);
        assert!(test_words(&TestOptions::default()).is_empty());
    }
}
