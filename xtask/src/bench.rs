//! `cargo xtask bench NAME`: measurements, as tables of ratios that are committed under `benches/`.

use anyhow::Context;
use clap::{Args, ValueEnum};
use xshell::{Shell, cmd};

/// The arguments of the command.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchOptions {
    /// What to measure
    name: Bench,
    /// Measure these parts only: for ssh latency, files, trees, output, hosts and memory; for
    /// docker latency, files, trees, bare and memory; for inventory formats, growth, work and peers
    #[arg(value_name = "PART", conflicts_with = "save")]
    parts: Vec<String>,
    /// Use small sizes, to check that it works; the results prove nothing
    #[arg(long, conflicts_with = "save")]
    quick: bool,
    /// Write the table to `benches/NAME.md` as well
    #[arg(long)]
    save: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bench {
    /// Commands and files on this machine, beside sh, cp and tar
    Local,
    /// Commands and files over SSH, beside ssh, scp, sftp, rsync, tar and pssh
    Ssh,
    /// Commands and files in a container, beside docker exec, docker cp and tar
    Docker,
    /// Loading inventories, beside pyinfra and Ansible
    Inventory,
}

/// Measures, prints the table, and saves it if requested.
///
/// # Errors
///
/// If something cannot be built, measured or written, or if the benchmark has no parts or small
/// sizes.
pub(crate) fn run(sh: &Shell, options: &BenchOptions) -> anyhow::Result<()> {
    let value = options.name.to_possible_value().context("a benchmark has a name")?;
    let name = value.get_name();
    let binary = format!("bench-{name}");
    let (parts, quick) = (&options.parts, options.quick.then_some("--quick"));
    if matches!(options.name, Bench::Local) && (quick.is_some() || !parts.is_empty()) {
        anyhow::bail!("the benchmark {name} has no parts and no small sizes");
    }
    let packages = ["--package", "hostlink-tests", "--package", "hostlink-cli"];
    cmd!(sh, "cargo build --release --quiet {packages...} --bins").run()?;
    let run = cmd!(sh, "cargo run --release --quiet --package hostlink-tests --bin {binary}");
    let table = run
        .args(["--"])
        .args(quick)
        .args(parts)
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
