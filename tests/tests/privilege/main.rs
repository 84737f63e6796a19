//! Real tools that switch the user, in every place, with everything that must pass through them.
//!
//! For `@local`, this program runs itself in a container, as a user without privileges.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not what they call"
)]

mod columns;
mod places;
mod refusals;
mod rows;
mod tools;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostlink::{Context, Data, Link, builtin_registry};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::columns::Columns;
use crate::places::{Cell, Noise, PLACES, Place, Target, Targets, directory_of};
use crate::refusals::Refusal;
use crate::tools::{TOOLS, Users};

/// The first argument of the program in the container.
const INSIDE: &str = "--inside";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name] = &words[..]
        && first == INSIDE
    {
        return match inside(name) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    rows::print();
    let mut arguments = Arguments::from_args();
    // Tests wait most of the time: for PAM, and for limits.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

/// A test: a tool in a place.
enum Test {
    /// Everything that must pass through the tool.
    Columns(Cell),
    Refusal(Refusal),
}

fn tests() -> impl Iterator<Item = Test> {
    let tools = TOOLS.iter().enumerate();
    let cells =
        tools.flat_map(|tool| PLACES.into_iter().enumerate().map(move |it| Cell::new(tool, it)));
    cells.map(Test::Columns).chain(refusals::all().map(Test::Refusal))
}

fn trials() -> Vec<Trial> {
    let targets = Arc::new(Targets::new(tests().map(|test| *test.cell()).collect()));
    let trial = |(number, test): (usize, Test)| {
        let targets = targets.clone();
        let name = test.name();
        Trial::test(name.clone(), move || {
            let cell = test.cell();
            let done = targets.with(cell, |target| block_on(test.run(&Users::of(number), target)));
            let context = || format!("{:?} {:?}\n", cell.noise, cell.password);
            done.with_context(context)
                .map_err(|error| Failed::from(format!("{error:#}\nrun it alone: {ALONE} {name}")))
        })
    };
    tests().enumerate().map(trial).collect()
}

/// The command that runs one test.
const ALONE: &str = "cargo xtask test --exact";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

impl Test {
    fn name(&self) -> String {
        let cell = self.cell();
        let name = format!("{}::{}", cell.place.name(), cell.tool.name);
        match self {
            Self::Columns(_) => name,
            Self::Refusal(_) if cell.noise == Noise::Locale => format!("{name}::refuses_in_german"),
            Self::Refusal(_) => format!("{name}::refuses"),
        }
    }

    fn cell(&self) -> &Cell {
        match self {
            Self::Columns(cell) => cell,
            Self::Refusal(refusal) => &refusal.cell,
        }
    }

    async fn run(&self, users: &Users, target: &Target) -> Result<()> {
        let link = target.connect(users).await;
        let done = if self.cell().place == Place::Local {
            let output = target.run_cell(users, &[INSIDE, &self.name()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(()) } else { Err(anyhow::anyhow!(said)) }
        } else {
            self.check(users, &link).await
        };
        link.disconnect().await?;
        done
    }

    async fn check(&self, users: &Users, link: &Link) -> Result<()> {
        match self {
            Self::Columns(cell) => columns(cell, users, link).await,
            Self::Refusal(refusal) => refusals::check(refusal, users, link).await,
        }
    }
}

async fn columns(cell: &Cell, users: &Users, link: &Link) -> Result<()> {
    // A slow PAM delays the start, twice where one tool runs within another.
    let seconds = if cell.noise == Noise::SlowPam { 4 } else { 2 };
    let columns = Columns {
        link,
        arguments: cell.arguments(users),
        user: users.name(cell.tool.rights_of),
        directory: directory_of(users),
        limit: Duration::from_secs(seconds),
    };
    match cell.place {
        Place::Ssh | Place::Docker if cell.tool.wants_terminal => columns.all_on_a_terminal().await,
        _ => columns.all().await,
    }
}

/// Runs the test in the container.
fn inside(name: &str) -> Result<()> {
    let mut tests = tests().enumerate();
    let test = tests.find(|(_, test)| test.name() == name);
    let (number, test) = test.context("there is no such test")?;
    block_on(async {
        let context = Context::default();
        let link = builtin_registry().connect("@local", &Data::new(), &context).await?;
        ensure!(!rustix::process::getuid().is_root(), "this is root");
        let done = test.check(&Users::of(number), &link).await;
        link.disconnect().await?;
        done
    })
}
