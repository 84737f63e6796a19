//! `cargo xtask ci`: every check that a change has to pass, in one order everywhere.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use xshell::{Shell, cmd};

use crate::{features, test, tidy};

/// Which checks to run.
#[derive(Args, Debug)]
pub(crate) struct CiOptions {
    /// Leave out the tests, which have just been run
    #[arg(long)]
    after_tests: bool,
}

struct Step {
    name: &'static str,
    check: fn(&Shell) -> anyhow::Result<()>,
}

const TEST: &str = "test";

/// The fuzz targets are a workspace of their own.
const FUZZ: &str = "fuzz/Cargo.toml";

/// Cheap checks come first, so that a slip is reported within seconds.
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
/// The first step that fails, by name; later ones are not run.
pub(crate) fn run(sh: &Shell, options: &CiOptions) -> anyhow::Result<()> {
    let mut durations = Vec::new();
    let result = run_steps(sh, selected(options), &mut durations);
    print!("{}", table(&durations));
    result
}

fn selected(options: &CiOptions) -> impl Iterator<Item = &'static Step> {
    let skip_tests = options.after_tests;
    STEPS.iter().filter(move |step| !(skip_tests && step.name == TEST))
}

fn run_steps<'a>(
    sh: &Shell,
    steps: impl Iterator<Item = &'a Step>,
    durations: &mut Vec<(&'a str, Duration)>,
) -> anyhow::Result<()> {
    for step in steps {
        println!("\n=== {} ===", step.name);
        let start = Instant::now();
        let result = (step.check)(sh);
        durations.push((step.name, start.elapsed()));
        result.with_context(|| format!("step `{}` failed", step.name))?;
    }
    Ok(())
}

fn table(durations: &[(&str, Duration)]) -> String {
    let total = durations.iter().map(|(_, duration)| *duration).sum();
    let rows = durations.iter().copied().chain([("total", total)]);
    let rows = rows.map(|(name, it)| format!("{name:<10}{:>8.1} s\n", it.as_secs_f64()));
    format!("\n{}", rows.collect::<String>())
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

/// Advisories are left out: their database is not reachable from everywhere CI runs.
fn check_dependencies(sh: &Shell) -> anyhow::Result<()> {
    if cmd!(sh, "cargo deny --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        cmd!(sh, "cargo install cargo-deny --locked").run()?;
    }
    // Sources of every platform have to be there before cargo-deny can work offline.
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
        let mut durations = Vec::new();
        let error = run_steps(&Shell::new().unwrap(), steps.iter(), &mut durations).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `bad` failed: no good");
        assert_eq!(durations.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["good", "bad"]);
    }

    #[test]
    fn the_table_ends_with_the_sum() {
        let durations =
            [("fmt", Duration::from_millis(500)), ("clippy", Duration::from_millis(61_200))];
        let expected = "\nfmt            0.5 s\nclippy        61.2 s\ntotal         61.7 s\n";
        assert_eq!(table(&durations), expected);
    }
}
