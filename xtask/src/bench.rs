//! `cargo xtask bench NAME`: measurements, as tables of ratios to be committed under `benches/`.

use anyhow::Context;
use clap::{Args, ValueEnum};
use xshell::{Shell, cmd};

/// What to measure.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchOptions {
    /// What to measure
    name: Bench,
    /// Write the table to `benches/NAME.md` as well
    #[arg(long)]
    save: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bench {
    /// Commands and files on this machine, beside sh, cp and tar
    Local,
}

impl Bench {
    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
        }
    }
}

/// Measures, prints the table, and saves it if that is asked for.
///
/// # Errors
///
/// If something cannot be built, measured or written.
pub(crate) fn run(sh: &Shell, options: &BenchOptions) -> anyhow::Result<()> {
    let name = options.name.name();
    let binary = format!("bench-{name}");
    let table = cmd!(sh, "cargo run --release --quiet --package hostlink-tests --bin {binary}")
        .read()
        .with_context(|| format!("cannot measure {name}"))?;
    let commit = cmd!(sh, "git rev-parse --short HEAD").quiet().read()?;
    let date = cmd!(sh, "date -u +%Y-%m-%d").quiet().read()?;
    let cores = cmd!(sh, "nproc").quiet().read()?;
    let page = format!(
        "# Benchmark: {name}\n\n{date}, commit {commit}, {cores} cores, release build. Medians of runs in turns; \
         smaller is better.\n\n{table}\n"
    );
    println!("{page}");
    if options.save {
        sh.write_file(format!("benches/{name}.md"), page)?;
    }
    Ok(())
}
