//! `cargo xtask test`: provides what the tests need, then runs them.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::thread::{self, available_parallelism};

use anyhow::bail;
use clap::Args;
use xshell::{Shell, cmd};

use crate::components::{self, Component, Group};
use crate::engine::{ENGINES, Engine};
use crate::pam::{self, Service};
use crate::stress::Stress;
use crate::suites::{self, Outcome, Output, Suite};
use crate::timing::Timing;
use crate::users::{self, User};
use crate::{images, junit, orphans, provision, sudo_rs, terraform, vagrant};

/// The arguments of the command.
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
    /// Run each test N times, to find one that sometimes fails
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repeat: Option<u16>,
    /// Keep the processors busy beside the tests, with four loops
    #[arg(long)]
    stress: bool,
    /// Run the tests whose whole name is FILTER, not those whose name contains it
    #[arg(long, requires = "filters")]
    exact: bool,
    /// Run only the tests whose name contains one of these; leaves out doc tests and the matrix
    #[arg(value_name = "FILTER")]
    filters: Vec<OsString>,
}

/// No test was run, and why: the arguments select none, or a fixture does not start.
#[derive(Debug)]
pub(crate) struct NothingRun(String);

impl fmt::Display for NothingRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NothingRun {}

/// Runs the tests, and prints how long the parts took.
///
/// # Errors
///
/// [`Missing`] before anything is built, [`NothingRun`], or the first part that failed.
pub(crate) fn run(sh: &Shell, options: &TestOptions) -> anyhow::Result<()> {
    let mut timing = Timing::default();
    let result = run_parts(sh, options, &mut timing);
    print!("\n{}", timing.table());
    result
}

fn run_parts(sh: &Shell, options: &TestOptions, timing: &mut Timing) -> anyhow::Result<()> {
    timing.of("needs", || require_components(sh, options))?;
    remove_orphans(sh, options);
    let _bless = options.bless.then(|| sh.push_env("HOSTLINK_BLESS", "1"));
    let suites = timing.of("build", || suites::build(sh))?;
    let _stress = options.stress.then(Stress::start);
    let tested = run_tests(sh, options, &suites, timing);
    // Those of programs that a test has killed.
    remove_orphans(sh, options);
    tested?;
    if options.filters.is_empty() {
        let scope = ["--doc", "--workspace", "--all-features"];
        timing.of("doc tests", || cmd!(sh, "cargo test {scope...}").run())?;
        timing.of("matrix", || suites::check_matrix(sh))?;
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
    let by_hand = (!terraform::is_there()).then_some(terraform::BY_HAND);
    let by_hand = by_hand.filter(|_| terraform::is_required());
    if options.provision {
        provision::run(sh, groups)?;
        return match by_hand {
            None => Ok(()),
            by_hand => Err(Missing { by_hand, ..Missing::default() }.into()),
        };
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
    let missing = Missing { components, users, services, containers, by_hand };
    if missing.all().is_empty() && by_hand.is_none() { Ok(()) } else { Err(missing.into()) }
}

fn wanted_groups(options: &TestOptions) -> &'static [Group] {
    if options.no_docker { &[Group::Base] } else { &[Group::Base, Group::Docker] }
}

fn missing_roots() -> Vec<String> {
    images::missing_roots()
        .iter()
        .map(|image| format!("the root of {} as its recipe is now", image.name))
        .collect()
}

fn missing_containers(sh: &Shell, engine: Engine) -> Vec<String> {
    if !engine.answers(sh) {
        return vec![format!("a {engine} that answers")];
    }
    let images = images::missing(sh, engine).into_iter();
    images
        .map(|image| format!("the image {} in {engine} as its recipe is now", image.name))
        .collect()
}

/// What the tests need and this machine lacks.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    components: Vec<&'static Component>,
    users: Vec<&'static User>,
    services: Vec<&'static Service>,
    /// Roots, engines and their images, as text.
    containers: Vec<String>,
    /// What `--provision` cannot install, as text.
    by_hand: Option<&'static str>,
}

impl Missing {
    /// Returns everything that `--provision` installs.
    fn all(&self) -> Vec<String> {
        let components = self.components.iter().map(|it| format!("{} ({})", it.name, it.why));
        let users = self.users.iter().map(|user| format!("the user {}", user.name));
        let services = self.services.iter().map(|it| format!("the PAM service {}", it.name));
        let containers = self.containers.iter().cloned();
        components.chain(users).chain(services).chain(containers).collect()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REMEDY: &str = "get what is missing with `cargo xtask test --provision`";
        let all = self.all().join(", ");
        match self.by_hand {
            None => write!(f, "the tests need {all}; {REMEDY}"),
            Some(by_hand) if all.is_empty() => write!(f, "the tests need {by_hand}"),
            Some(by_hand) => write!(f, "the tests need {all}; {REMEDY}; and {by_hand}"),
        }
    }
}

impl std::error::Error for Missing {}

/// The name of the modules whose tests need an engine.
const WITH_DOCKER: &str = "with_docker";

/// Runs the suites and the other tests. Runs all of them, even if one fails.
fn run_tests(
    sh: &Shell,
    options: &TestOptions,
    suites: &[Suite],
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let has_terraform = terraform::is_there();
    if !has_terraform {
        println!(
            "The tests {} are left out: they need {}",
            terraform::WITH_TERRAFORM,
            terraform::BY_HAND
        );
    }
    let words = test_words(options, has_terraform);
    let run = |suite: &Suite, output| {
        suite.run(&words, &options.filters, options.repeat.map(usize::from), output)
    };
    let Some((largest, suites)) = suites.split_first() else { bail!("there is no suite") };
    let outcome = timing.of(&largest.name, || run(largest, Output::AsItComes))?;
    let run = |suite: &Suite| run(suite, Output::AtTheEnd);
    let others = || beside(suites, run, || run_others(sh, options, &words));
    let others = timing.of("other tests", others)?;
    match outcome.or(others) {
        Outcome::Passed => Ok(()),
        Outcome::Failed => bail!("tests have failed"),
        Outcome::NothingRun => Err(NothingRun("a fixture does not start, see above".into()).into()),
        Outcome::None => {
            let filters: Vec<_> = options.filters.iter().map(|it| it.to_string_lossy()).collect();
            let (filters, verb) =
                (filters.join(" or "), if options.exact { "is" } else { "contains" });
            let message = format!(
                "no test has a name that {verb} {filters}: `cargo nextest list` and tests/conformance.md have the names"
            );
            Err(NothingRun(message).into())
        }
    }
}

/// Runs suites beside other tests: both wait much of their time.
fn beside(
    suites: &[Suite],
    run: impl Fn(&Suite) -> anyhow::Result<Outcome> + Sync,
    others: impl FnOnce() -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> = suites.iter().map(|suite| scope.spawn(move || run(suite))).collect();
        let others = others();
        let mut outcome = Outcome::None;
        for ran in running {
            outcome = outcome.or(ran.join().expect("a suite does not panic")?);
        }
        Ok(outcome.or(others?))
    })
}

/// Prefers nextest, which runs each test in its own process.
fn run_others(sh: &Shell, options: &TestOptions, words: &[OsString]) -> anyhow::Result<Outcome> {
    let nextest = cmd!(sh, "cargo nextest --version").quiet().ignore_stdout().ignore_stderr();
    let filters = &options.filters;
    if nextest.run().is_err() {
        let scope = ["--workspace", "--all-targets", "--all-features"];
        cmd!(sh, "cargo test {scope...} --no-fail-fast -- {words...} {filters...}").run()?;
        return Ok(Outcome::Passed);
    }
    // Most tests wait most of the time: for a server, a limit, a silence.
    let threads = (THREADS_PER_CPU * available_parallelism().map_or(1, usize::from)).to_string();
    let mut command = cmd!(sh, "cargo nextest run --workspace --all-features");
    command = command.args(["--test-threads", &threads, "-E", suites::OTHERS]);
    if let Some(repeat) = options.repeat {
        command = command.args(["--stress-count", &repeat.to_string()]);
    }
    let command = command.arg("--").args(words).args(filters);
    println!("\n$ {command}");
    let status = std::process::Command::from(command).status()?;
    let outcome = match status.code() {
        Some(0) => Outcome::Passed,
        Some(NO_TESTS_RUN) => return Ok(Outcome::None),
        _ => Outcome::Failed,
    };
    println!("{}", junit::summary(&sh.current_dir().join(Path::new(junit::PATH)), suites::ALONE)?);
    Ok(outcome)
}

/// How many tests with their own process run at the same time.
const THREADS_PER_CPU: usize = 4;

/// The exit status of nextest if the filter selects no test.
const NO_TESTS_RUN: i32 = 4;

/// Returns the arguments for filters and for tests that are left out, for both the test programs
/// and nextest.
fn test_words(options: &TestOptions, has_terraform: bool) -> Vec<OsString> {
    let docker = options.no_docker.then_some(["--skip", WITH_DOCKER]);
    let terraform = (!has_terraform).then_some(["--skip", terraform::WITH_TERRAFORM]);
    let exact = options.exact.then_some("--exact");
    // An exact filter selects nothing that must be left out, and nextest would match the skipped
    // names exactly, too.
    let skipped = docker.into_iter().chain(terraform).flatten().filter(|_| !options.exact);
    skipped.chain(exact).map(OsString::from).collect()
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
            by_hand: None,
        };
        assert_eq!(
            missing.to_string(),
            "the tests need fish (a login shell that is not POSIX), the user hostlink-fish, \
             the PAM service sshd-hostlink, a dockerd that answers; \
             get what is missing with `cargo xtask test --provision`"
        );
        let text =
            |missing: Missing| missing.to_string().replace("`cargo xtask test --provision`", "it");
        let by_hand = Some("x by hand");
        assert_eq!(text(Missing { by_hand, ..Missing::default() }), "the tests need x by hand");
        let containers = vec!["y".to_owned()];
        assert_eq!(
            text(Missing { by_hand, containers, ..Missing::default() }),
            "the tests need y; get what is missing with it; and x by hand"
        );
    }

    #[test]
    fn without_terraform_its_tests_are_left_out() {
        let options = TestOptions { filters: vec!["x".into()], ..TestOptions::default() };
        assert_eq!(test_words(&options, false), ["--skip", "with_terraform"]);
        assert!(test_words(&options, true).is_empty());
        assert_eq!(test_words(&TestOptions { exact: true, ..options }, false), ["--exact"]);
    }

    #[test]
    fn docker_is_left_out_on_demand_only() {
        let without = TestOptions { no_docker: true, ..TestOptions::default() };
        assert_eq!(wanted_groups(&without), [Group::Base]);
        assert_eq!(test_words(&without, true), ["--skip", WITH_DOCKER]);
        assert_eq!(wanted_groups(&TestOptions::default()), [Group::Base, Group::Docker]);
        assert!(test_words(&TestOptions::default(), true).is_empty());
    }
}
