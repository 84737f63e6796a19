//! The chores of this workspace, run as `cargo xtask <COMMAND>`.
//!
//! CI's steps are written here rather than in a CI system's own language, so that a contributor can
//! run exactly the same.

mod bench;
mod ci;
mod components;
mod docs;
mod engine;
mod features;
mod images;
mod junit;
mod orphans;
mod pam;
mod provision;
mod stress;
mod sudo_rs;
mod suites;
mod sweep;
mod terraform;
mod test;
mod tidy;
mod timing;
mod users;
mod vagrant;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use xshell::Shell;

use crate::test::{Missing, NothingRun};

/// The chores of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check what the tests need, then run them, the doc tests and the conformance matrix
    Test(test::TestOptions),
    /// Run every check that a change has to pass
    Ci(ci::CiOptions),
    /// Compile the facade with each of its features alone, and the command without and with all
    Features,
    /// Measure, and print ratios beside other tools
    Bench(bench::BenchOptions),
    /// Check the rules of this workspace that no compiler lint covers
    Tidy,
    /// Print the layers of core, and what is in them
    Layers,
    /// Build the book in docs/ with mdBook, into target/book/html
    Docs,
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            exit_code(&error)
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    let sh = workspace_shell()?;
    match chore {
        Chore::Test(options) => test::run(&sh, &options),
        Chore::Ci(options) => ci::run(&sh, &options),
        Chore::Features => features::run(&sh),
        Chore::Bench(options) => bench::run(&sh, &options),
        Chore::Tidy => tidy::run(&sh),
        Chore::Layers => tidy::print_layers(&sh),
        Chore::Docs => docs::run(&sh),
    }
}

/// Returns a shell in the root of the workspace, from any directory.
fn workspace_shell() -> anyhow::Result<Shell> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let sh = Shell::new().context("cannot open the current directory")?;
    sh.change_dir(root.expect("xtask is a folder of the workspace"));
    Ok(sh)
}

/// Returns 2 if the machine lacks something or a filter selects nothing, and 1 if a check has
/// failed.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let nothing_run =
        error.is::<Missing>() || error.is::<NothingRun>() || error.is::<docs::NoMdbook>();
    ExitCode::from(if nothing_run { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_missing_component_has_its_own_exit_code() {
        let error = anyhow::Error::new(Missing::default());
        assert_eq!(exit_code(&error), ExitCode::from(2));
        assert_eq!(exit_code(&anyhow::anyhow!("anything else")), ExitCode::from(1));
    }
}
