//! Runs every case against every fixture.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::future::try_join_all;
use libtest_mimic::Arguments;

use crate::fixture::Fixture;
use crate::lane::Lane;
use crate::trials::{self, Run};
use crate::{cases, child, matrix};

/// The argument before the number of times to run each case.
const REPEAT: &str = "--repeat";

/// The number of cases that run at the same time, on all fixtures, unless `--test-threads` says
/// otherwise. Most of them wait much of their time; with more, a slow engine exceeds the limits of
/// kills.
const THREADS: usize = 10;

/// The exit status if no case was run, because of the arguments or because the machine lacks
/// something.
const NOTHING_RUN: u8 = 2;

/// The behavior suite: runs every case against every fixture, in one process.
///
/// [`main`](Self::main) is the whole `main` of a test without a harness. It understands libtest's
/// arguments, so `cargo test` and `cargo nextest` run it, and two more: `--matrix` prints which
/// fixture passes which case, and `--repeat N` runs each case `N` times.
///
/// Each fixture is started once, and its cases share it. A failed case may have broken the fixture:
/// it is replaced before the next case, and the output says so.
#[derive(Default)]
pub struct Suite {
    lanes: Vec<Arc<Lane>>,
    matrix: Option<PathBuf>,
}

impl Suite {
    /// Returns a suite without fixtures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fixture.
    #[must_use]
    pub fn with(mut self, fixture: impl Fixture) -> Self {
        self.lanes.push(Arc::new(Lane::new(Arc::new(fixture))));
        self
    }

    /// Sets the committed file that `--matrix` compares with, and rewrites if `HOSTLINK_BLESS` is
    /// set.
    #[must_use]
    pub fn with_matrix(self, path: impl Into<PathBuf>) -> Self {
        Self { matrix: Some(path.into()), ..self }
    }

    /// Runs what the program's arguments select.
    ///
    /// The exit status is 0 if every case that was run has passed, 101 if one has failed, and 2 if
    /// none was run: a fixture does not start, or the arguments are wrong.
    pub fn main(self) -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let done = match arguments.first().map(String::as_str) {
            Some(child::FLAG) => {
                let fixtures: Vec<_> = self.lanes.iter().map(|it| it.fixture().clone()).collect();
                child::run(&fixtures, &arguments[1..])
            }
            Some("--matrix") => self.print_matrix(),
            _ => self.run_cases(arguments),
        };
        done.unwrap_or_else(|error| {
            // One line, even if an engine reports several.
            let text = format!("{error:#}");
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            eprintln!("error: {}", lines.collect::<Vec<_>>().join("; "));
            ExitCode::from(NOTHING_RUN)
        })
    }

    fn print_matrix(&self) -> anyhow::Result<ExitCode> {
        let fixtures: Vec<_> = self.lanes.iter().map(|lane| &**lane.fixture()).collect();
        let text = matrix::render(&fixtures, &cases::all());
        print!("{text}");
        let Some(path) = &self.matrix else { return Ok(ExitCode::SUCCESS) };
        matrix::compare(path, &text)
    }

    fn run_cases(self, mut words: Vec<String>) -> anyhow::Result<ExitCode> {
        let times = take_repeat(&mut words)?;
        let mut arguments = Arguments::from_iter([String::new()].into_iter().chain(words));
        arguments.test_threads.get_or_insert(THREADS);
        let run = Run::default();
        let trials = trials::of(&self.lanes, &cases::all(), times, &run);
        if !arguments.list {
            let wanted = |name: &str| trials::is_wanted(&arguments, name);
            child::shared_runtime().block_on(trials::start(&self.lanes, wanted))?;
        }
        let conclusion = libtest_mimic::run(&arguments, trials);
        child::shared_runtime().block_on(try_join_all(self.lanes.into_iter().map(Lane::finish)))?;
        print!("{}", run.summary());
        Ok(conclusion.exit_code())
    }
}

/// Removes `--repeat N` from the arguments, as libtest does not know it.
fn take_repeat(words: &mut Vec<String>) -> anyhow::Result<usize> {
    let Some(at) = words.iter().position(|word| word == REPEAT) else { return Ok(1) };
    let removed: Vec<String> = words.drain(at..words.len().min(at + 2)).collect();
    let number = removed.get(1).with_context(|| format!("{REPEAT} takes a number"))?;
    match number.parse() {
        Ok(times) if times > 0 => Ok(times),
        _ => bail!("{REPEAT} takes a number from 1 on, not {number:?}"),
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fixtures: Vec<_> = self.lanes.iter().map(|lane| lane.fixture().name()).collect();
        f.debug_struct("Suite").field("fixtures", &fixtures).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeat_is_taken_out_of_the_arguments() {
        let mut words = ["a", REPEAT, "20", "b"].map(str::to_owned).to_vec();
        assert_eq!(take_repeat(&mut words).unwrap(), 20);
        assert_eq!(words, ["a", "b"]);
        assert_eq!(take_repeat(&mut words).unwrap(), 1);
        for wrong in [&[REPEAT][..], &[REPEAT, "0"], &[REPEAT, "x"]] {
            let mut words = wrong.iter().map(|&word| word.to_owned()).collect();
            assert!(take_repeat(&mut words).is_err(), "{wrong:?}");
        }
    }
}
