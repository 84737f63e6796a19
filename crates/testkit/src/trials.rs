//! The combinations of cases and fixtures, as tests that libtest-mimic runs.

use std::panic::{AssertUnwindSafe, set_hook, take_hook};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use futures::FutureExt;
use futures::future::try_join_all;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::time::timeout;

use crate::ability::{Lack, Verdict, decisive};
use crate::cases::{self, Case};
use crate::child;
use crate::lane::{Lane, Turn};
use crate::scene::Scene;
use crate::slowest::Slowest;

/// Time limit for a case, and for the setup and cleanup. A library that hangs must not hang the
/// suite.
const LIMIT: Duration = Duration::from_secs(120);

/// Totals of a run beyond those of libtest-mimic.
#[derive(Clone, Default)]
pub(crate) struct Run(Arc<Record>);

#[derive(Default)]
struct Record {
    /// The number of cases that have failed as declared.
    declared: AtomicUsize,
    slowest: Slowest,
}

impl Run {
    /// Returns what is printed at the end.
    pub(crate) fn summary(&self) -> String {
        let slowest = self.0.slowest.lines();
        let declared = self.0.declared.load(Ordering::Relaxed);
        let mut text = String::new();
        if declared > 0 {
            text += &format!("{declared} cases failed, as their fixtures declare\n");
        }
        if !slowest.is_empty() {
            text += &format!("slowest:\n{slowest}");
        }
        text
    }
}

/// The result of a case. The outer error means that there is none: setup or cleanup failed, or the
/// case hung or panicked. No lack excuses that.
type Outcome = anyhow::Result<anyhow::Result<()>>;

/// One case on one fixture.
struct Cell {
    lane: Arc<Lane>,
    case: Case,
    lack: Option<Lack>,
}

/// Returns the tests in an order in which fixtures take turns, and no two fixtures are at the same
/// case: some cases need much memory.
pub(crate) fn of(lanes: &[Arc<Lane>], cases: &[Case], times: usize, run: &Run) -> Vec<Trial> {
    let distance = cases.len().div_ceil(lanes.len().max(1));
    let rounds = 0..times * cases.len();
    let cells = rounds.flat_map(|round| {
        let case = move |number| cases[(round + number * distance) % cases.len()];
        lanes.iter().enumerate().filter_map(move |(number, lane)| Cell::new(lane, case(number)))
    });
    cells.map(|cell| cell.trial(run.clone())).collect()
}

/// Returns whether the arguments select the test of this name.
pub(crate) fn is_wanted(arguments: &Arguments, name: &str) -> bool {
    let matches =
        |part: &String| if arguments.exact { name == part } else { name.contains(&**part) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// Starts the fixtures of the selected tests.
///
/// # Errors
///
/// Returns the error of the first fixture that does not start.
pub(crate) async fn start(
    lanes: &[Arc<Lane>],
    is_wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let has_wanted = |lane: &&Arc<Lane>| {
        let cells = cases::all().into_iter().filter_map(|case| Cell::new(lane, case));
        cells.into_iter().any(|cell| is_wanted(&cell.name()))
    };
    let starts = lanes.iter().filter(has_wanted).map(async |lane| {
        let started = in_time(AssertUnwindSafe(lane.start()).catch_unwind()).await;
        let started = started?.unwrap_or_else(|panic| bail!("{}", panic_text(&*panic)));
        let name = lane.fixture().name();
        started.with_context(|| format!("the fixture {name} does not start, so no case was run"))
    });
    // A fixture that cannot start may panic. The error says why; a backtrace would hide it.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let started = try_join_all(starts).await;
    set_hook(hook);
    started.map(|_| ())
}

impl Cell {
    /// Returns `None` if the fixture declares that the case is not run.
    fn new(lane: &Arc<Lane>, case: Case) -> Option<Self> {
        let lack = decisive(lane.fixture().lacks(), case.needs).copied();
        let is_run = lack.is_none_or(|lack| lack.verdict != Verdict::NotRun);
        is_run.then(|| Self { lane: lane.clone(), case, lack })
    }

    fn name(&self) -> String {
        format!("{}::{}", self.lane.fixture().name(), self.case.name)
    }

    fn trial(self, run: Run) -> Trial {
        Trial::test(self.name(), move || {
            let (result, took) = child::shared_runtime().block_on(self.run());
            run.0.slowest.add(&self.name(), took);
            self.judge(result, &run)
        })
    }

    /// Runs the case. Also returns how long it took, without the wait for its turn.
    async fn run(&self) -> (Outcome, Duration) {
        let turn = self.lane.turn(self.case.needs).await;
        let begun = Instant::now();
        let result = run_case(turn, self.case).await;
        let is_expected = matches!(result, Ok(Ok(()))) || self.lack.is_some() && result.is_ok();
        if !is_expected {
            self.lane.suspect(self.case.name);
        }
        (result, begun.elapsed())
    }

    /// Compares the result with what the fixture declares.
    fn judge(&self, result: Outcome, run: &Run) -> Result<(), Failed> {
        match (&self.lack, result) {
            (None, Ok(Ok(()))) => Ok(()),
            (None, Ok(Err(error))) | (_, Err(error)) => {
                Err(format!("{error:#}{}", rerun_hint(&self.name())).into())
            }
            (Some(lack), Ok(Ok(()))) => {
                let Lack { ability, reason, .. } = lack;
                Err(format!(
                    "the fixture declares that it lacks {ability:?} ({reason}), but the case passed: \
                     remove the declaration, or the need from the case"
                )
                .into())
            }
            (Some(lack), Ok(Err(error))) => {
                run.0.declared.fetch_add(1, Ordering::Relaxed);
                println!("{} fails as declared: {} ({error:#})", self.name(), lack.reason);
                Ok(())
            }
        }
    }
}

/// Returns how to run one test, for the end of a message.
fn rerun_hint(name: &str) -> String {
    let program = std::env::args().next().unwrap_or_default();
    let command =
        std::env::var("HOSTLINK_TEST_COMMAND").unwrap_or_else(|_| format!("{program} --exact"));
    format!("\nrun it alone: {command} {name}")
}

async fn run_case(turn: Turn, case: Case) -> Outcome {
    let scene = in_time(Scene::open(turn)).await?.context("the setup failed")?;
    let result = in_time(AssertUnwindSafe((case.run)(&scene)).catch_unwind()).await;
    let closed = in_time(scene.close()).await.flatten().context("the cleanup failed");
    match result? {
        Ok(Err(error)) if closed.is_err() => Err(error),
        Ok(result) => closed.map(|()| result),
        Err(panic) => Err(anyhow!("panicked: {}", panic_text(&*panic))),
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    timeout(LIMIT, work).await.with_context(|| format!("not done after {LIMIT:?}"))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::from_iter([""].iter().chain(words))
    }

    #[test]
    fn tests_are_selected_as_libtest_does() {
        let is = |words: &[&str], name| is_wanted(&arguments(words), name);
        assert!(is(&[], "ssh::a") && is(&["ssh"], "ssh::a") && !is(&["docker"], "ssh::a"));
        assert!(is(&["--exact", "ssh::a"], "ssh::a") && !is(&["--exact", "ssh"], "ssh::a"));
        assert!(!is(&["--skip", "ssh"], "ssh::a") && is(&["--skip", "docker"], "ssh::a"));
    }
}
