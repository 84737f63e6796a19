//! `cargo xtask ci`: every check that a change must pass, in one order everywhere.

use anyhow::Context;
use clap::Args;
use xshell::{Shell, cmd};

use crate::timing::Timing;
use crate::{features, test, tidy};

/// The arguments of the command.
#[derive(Args, Debug)]
pub(crate) struct CiOptions {
    /// Leave out the tests, if they were just run
    #[arg(long)]
    after_tests: bool,
}

struct Step {
    name: &'static str,
    check: fn(&Shell) -> anyhow::Result<()>,
}

const TEST: &str = "test";

/// The fuzz targets are a separate workspace.
const FUZZ: &str = "fuzz/Cargo.toml";

/// Cheap checks come first, so that a mistake is reported within seconds.
const STEPS: &[Step] = &[
    Step { name: "fmt", check: check_format },
    Step { name: "tidy", check: tidy::run },
    Step { name: "clippy", check: check_lints },
    Step { name: TEST, check: run_tests },
    Step { name: "docs", check: build_docs },
    Step { name: "features", check: features::run },
    Step { name: "deny", check: check_dependencies },
];

/// Runs the steps in order and prints how long each one took.
///
/// # Errors
///
/// The first step that fails, by name. Later ones are not run.
pub(crate) fn run(sh: &Shell, options: &CiOptions) -> anyhow::Result<()> {
    let mut timing = Timing::default();
    let result = run_steps(sh, selected(options), &mut timing);
    print!("\n{}", timing.table());
    result
}

fn selected(options: &CiOptions) -> impl Iterator<Item = &'static Step> {
    let skip_tests = options.after_tests;
    STEPS.iter().filter(move |step| !(skip_tests && step.name == TEST))
}

fn run_steps<'a>(
    sh: &Shell,
    steps: impl Iterator<Item = &'a Step>,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    for step in steps {
        println!("\n=== {} ===", step.name);
        let result = timing.of(step.name, || (step.check)(sh));
        result.with_context(|| format!("step `{}` failed", step.name))?;
    }
    Ok(())
}

fn check_format(sh: &Shell) -> anyhow::Result<()> {
    cmd!(sh, "cargo fmt --all --check").run()?;
    Ok(cmd!(sh, "cargo fmt --manifest-path {FUZZ} --check").run()?)
}

fn check_lints(sh: &Shell) -> anyhow::Result<()> {
    let scope = ["--workspace", "--all-targets", "--all-features"];
    cmd!(sh, "cargo clippy {scope...} -- -D warnings").run()?;
    // Without libFuzzer itself, which is C++.
    let scope = ["--no-default-features", "--target-dir", "target"];
    Ok(cmd!(sh, "cargo clippy --manifest-path {FUZZ} {scope...} -- -D warnings").run()?)
}

fn run_tests(sh: &Shell) -> anyhow::Result<()> {
    test::run(sh, &test::TestOptions::default())
}

fn build_docs(sh: &Shell) -> anyhow::Result<()> {
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    Ok(cmd!(sh, "cargo doc --workspace --no-deps --all-features").run()?)
}

/// Advisories are left out: their database is not reachable from everywhere.
fn check_dependencies(sh: &Shell) -> anyhow::Result<()> {
    if cmd!(sh, "cargo deny --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        // With its authors' release settings it takes three minutes.
        let quick = [("OPT_LEVEL", "0"), ("LTO", "off"), ("CODEGEN_UNITS", "256"), ("DEBUG", "0")];
        let _profile: Vec<_> = quick
            .map(|(name, value)| sh.push_env(format!("CARGO_PROFILE_RELEASE_{name}"), value))
            .into();
        cmd!(sh, "cargo install cargo-deny --locked").run()?;
    }
    // The sources of every platform must be there before cargo-deny can work offline.
    cmd!(sh, "cargo fetch").run()?;
    let scope = ["--workspace", "--all-features", "--offline"];
    Ok(cmd!(sh, "cargo deny {scope...} check licenses bans sources").run()?)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn tests_are_left_out_on_demand_only() {
        let count = |after_tests| selected(&CiOptions { after_tests }).count();
        assert_eq!(count(false), STEPS.len());
        assert_eq!(count(true), STEPS.len() - 1);
        assert!(selected(&CiOptions { after_tests: true }).all(|step| step.name != TEST));
    }

    #[test]
    fn the_first_failing_step_ends_the_run_by_name() {
        let steps = [
            Step { name: "good", check: |_| Ok(()) },
            Step { name: "bad", check: |_| bail!("no good") },
            Step { name: "late", check: |_| panic!("must not be run") },
        ];
        let mut timing = Timing::default();
        let error = run_steps(&Shell::new().unwrap(), steps.iter(), &mut timing).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `bad` failed: no good");
        assert_eq!(timing.names(), ["good", "bad"]);
    }
}
