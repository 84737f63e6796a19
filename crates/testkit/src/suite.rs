//! Runs every case against every fixture.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases::{self, Case};
use crate::fixture::Fixture;
use crate::scene::Scene;
use crate::{child, matrix};

/// A cell of cases × fixtures that cannot be served, and why.
///
/// The cell is run all the same. It has to fail: one that passes fails the test, until its row is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The fixture's name.
    pub fixture: &'static str,
    /// The case's name.
    pub case: &'static str,
    /// Why the target cannot do this; it is printed, and stands in the matrix.
    pub reason: &'static str,
}

/// Cells that are not run: whether they pass is not up to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The fixture's name.
    pub fixture: &'static str,
    /// What the cases' names contain.
    pub cases: &'static [&'static str],
    /// Why nothing can be told from them; it stands in the matrix.
    pub reason: &'static str,
}

impl LeftOut {
    pub(crate) fn is(&self, fixture: &str, case: &str) -> bool {
        self.fixture == fixture && self.cases.iter().any(|part| case.contains(part))
    }
}

/// The behaviour suite: every fixture goes through every case.
///
/// [`main`](Self::main) is the whole `main` of a test without a harness. It understands what libtest does, so
/// `cargo test` and `cargo nextest` run it, and `--matrix`, which prints the table of cases and fixtures.
#[derive(Default)]
pub struct Suite {
    fixtures: Vec<Arc<dyn Fixture>>,
    unsupported: Vec<Unsupported>,
    left_out: Vec<LeftOut>,
    matrix: Option<PathBuf>,
}

impl Suite {
    /// A suite without fixtures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fixture: a column.
    #[must_use]
    pub fn with(mut self, fixture: impl Fixture) -> Self {
        self.fixtures.push(Arc::new(fixture));
        self
    }

    /// Names the cells that cannot be served.
    #[must_use]
    pub fn with_unsupported(mut self, rows: &[Unsupported]) -> Self {
        self.unsupported.extend_from_slice(rows);
        self
    }

    /// Names the cells that are not run.
    #[must_use]
    pub fn with_left_out(mut self, rows: &[LeftOut]) -> Self {
        self.left_out.extend_from_slice(rows);
        self
    }

    /// The committed file that `--matrix` compares with, and rewrites if `HOSTLINK_BLESS` is set.
    #[must_use]
    pub fn with_matrix(self, path: impl Into<PathBuf>) -> Self {
        Self { matrix: Some(path.into()), ..self }
    }

    /// Does what the program's arguments ask for.
    pub fn main(self) -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let done = match arguments.first().map(String::as_str) {
            Some(child::FLAG) => child::run(&self.fixtures, &arguments[1..]),
            Some("--matrix") => self.print_matrix(),
            _ => self.run_cases(),
        };
        done.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        })
    }

    fn print_matrix(&self) -> anyhow::Result<ExitCode> {
        self.check_rows()?;
        let names: Vec<&str> = self.fixtures.iter().map(|fixture| fixture.name()).collect();
        let text = matrix::render(&names, &cases::all(), &self.unsupported, &self.left_out);
        print!("{text}");
        let Some(path) = &self.matrix else { return Ok(ExitCode::SUCCESS) };
        matrix::compare(path, &text)
    }

    fn run_cases(&self) -> anyhow::Result<ExitCode> {
        self.check_rows()?;
        let arguments = Arguments::from_args();
        let unserved = Arc::new(AtomicUsize::new(0));
        let trials = self
            .fixtures
            .iter()
            .flat_map(|fixture| cases::all().into_iter().map(|case| (fixture.clone(), case)))
            .filter(|(fixture, case)| {
                !self.left_out.iter().any(|row| row.is(fixture.name(), case.name))
            })
            .map(|(fixture, case)| self.trial(fixture, case, unserved.clone()))
            .collect();
        let conclusion = libtest_mimic::run(&arguments, trials);
        let count = unserved.load(Ordering::Relaxed);
        if count > 0 {
            println!("{count} cells are unsupported, as declared, and failed as expected\n");
        }
        Ok(conclusion.exit_code())
    }

    fn trial(&self, fixture: Arc<dyn Fixture>, case: Case, unserved: Arc<AtomicUsize>) -> Trial {
        let name = format!("{}::{}", fixture.name(), case.name);
        let row = self.unsupported.iter().find(|row| row.is(fixture.name(), case.name)).copied();
        Trial::test(name.clone(), move || {
            let result = run_case(fixture, case);
            match (row, result) {
                (None, result) => result.map_err(|error| Failed::from(chain(&error))),
                (Some(row), Ok(())) => {
                    let reason = row.reason;
                    Err(format!("declared unsupported ({reason}), but it passed: serve it now and remove the row").into())
                }
                (Some(row), Err(error)) => {
                    unserved.fetch_add(1, Ordering::Relaxed);
                    println!("{name} is unsupported: {} ({})", row.reason, chain(&error));
                    Ok(())
                }
            }
        })
    }

    /// A row that matches nothing excuses nothing, and would stay for ever.
    fn check_rows(&self) -> anyhow::Result<()> {
        for row in &self.unsupported {
            let fixture = self.fixtures.iter().any(|fixture| fixture.name() == row.fixture);
            let case = cases::all().iter().any(|case| case.name == row.case);
            if !fixture || !case {
                bail!(
                    "{}::{} is declared unsupported, and there is no such cell",
                    row.fixture,
                    row.case
                );
            }
        }
        for row in &self.left_out {
            let fixture = self.fixtures.iter().any(|fixture| fixture.name() == row.fixture);
            for part in row.cases {
                if !fixture || !cases::all().iter().any(|case| case.name.contains(part)) {
                    bail!("{}::*{part}* is left out, and there is no such cell", row.fixture);
                }
            }
        }
        Ok(())
    }
}

impl Unsupported {
    pub(crate) fn is(&self, fixture: &str, case: &str) -> bool {
        (self.fixture, self.case) == (fixture, case)
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fixtures: Vec<_> = self.fixtures.iter().map(|fixture| fixture.name()).collect();
        f.debug_struct("Suite").field("fixtures", &fixtures).finish_non_exhaustive()
    }
}

/// For one case. A library that hangs must not hang the suite.
const LIMIT: Duration = Duration::from_secs(120);

/// For threads that still wait for the file system when a case is over.
const SHUTDOWN: Duration = Duration::from_secs(5);

fn run_case(fixture: Arc<dyn Fixture>, case: Case) -> anyhow::Result<()> {
    let runtime = child::runtime()?;
    let result = runtime.block_on(async {
        let scene = Scene::open(fixture).await.context("the scene could not be set")?;
        let run = AssertUnwindSafe((case.run)(&scene)).catch_unwind();
        let result = tokio::time::timeout(LIMIT, run).await;
        let closed = scene.close().await.context("the scene could not be cleared");
        match result {
            Ok(Ok(result)) => result.and(closed),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(anyhow!("not done after {LIMIT:?}")),
        }
    });
    runtime.shutdown_timeout(SHUTDOWN);
    result
}

/// The error and its causes, on one line. A backtrace would only show the suite.
fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}")
}
