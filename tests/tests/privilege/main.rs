//! Real tools that give another user's rights, in every place, with all that has to come through them.
//!
//! For `@local`, this program runs itself in a container, as a user who has no rights of its own.

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
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostlink::{Context, Data, builtin_registry};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::columns::Columns;
use crate::places::{Cell, Noise, PLACES, Place};
use crate::tools::TOOLS;

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
    rows::tell();
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

fn cells() -> impl Iterator<Item = Cell> {
    TOOLS
        .iter()
        .enumerate()
        .flat_map(|tool| PLACES.into_iter().enumerate().map(move |place| Cell::new(tool, place)))
}

fn name_of(cell: &Cell) -> String {
    format!("{}::{}", cell.place.name(), cell.tool.name)
}

fn trials() -> Vec<Trial> {
    let trial = |cell: Cell| {
        Trial::test(name_of(&cell), move || {
            let done = block_on(async {
                run(&cell).await.with_context(|| format!("{:?} {:?}\n", cell.noise, cell.password))
            });
            done.map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    let refusal = |(cell, says): (Cell, &'static str)| {
        Trial::test(format!("{}::refuses", name_of(&cell)), move || {
            let done = block_on(async {
                let (_target, link) = cell.open().await;
                let done = refusals::check(&cell, &link, says).await;
                link.disconnect().await?;
                done
            });
            done.map_err(|error: anyhow::Error| Failed::from(format!("{error:#}")))
        })
    };
    cells().map(trial).chain(refusals::cells().map(refusal)).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

async fn run(cell: &Cell) -> Result<()> {
    let (target, link) = cell.open().await;
    let done = if cell.place == Place::Local {
        let output = target.run_cell(&[INSIDE, &name_of(cell)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(anyhow::anyhow!(said)) }
    } else {
        columns(cell, &link).await
    };
    link.disconnect().await?;
    done
}

async fn columns(cell: &Cell, link: &hostlink::Link) -> Result<()> {
    // The answer of a slow PAM counts, and of two of them where one tool is within another.
    let seconds = if cell.noise == Noise::SlowPam { 4 } else { 2 };
    let limit = Duration::from_secs(seconds);
    let columns = Columns { link, arguments: cell.arguments(), user: cell.tool.user, limit };
    match cell.place {
        Place::Ssh | Place::Docker if cell.tool.wants_terminal => columns.all_on_a_terminal().await,
        _ => columns.all().await,
    }
}

/// What the program does in the container.
fn inside(name: &str) -> Result<()> {
    let cell = cells().find(|cell| name_of(cell) == name).context("there is no such cell")?;
    block_on(async {
        let context = Context::default();
        let link = builtin_registry().connect("@local", &Data::new(), &context).await?;
        ensure!(!rustix::process::getuid().is_root(), "this is root");
        let done = columns(&cell, &link).await;
        link.disconnect().await?;
        done
    })
}
