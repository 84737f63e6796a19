//! `cargo xtask bench local`: hostlink on this machine beside the bare tools, in one run, as ratios.
//!
//! Each pair is measured in turns, so that what else the machine does falls on both; the medians are compared.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostlink::transfer::{PutOptions, Source};
use hostlink::{
    ConnectorArguments, Context, Data, Link, RunOptions, Secret, StringCommand, builtin_registry,
};

type Failure = Box<dyn std::error::Error>;

/// One line of the table.
struct Row {
    work: &'static str,
    peer: &'static str,
    ours: Duration,
    theirs: Duration,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let link = builtin_registry().connect("@local", &Data::new(), &Context::default()).await?;
    let rows = [
        latency(&link, "`true`", &ConnectorArguments::new()).await?,
        latency(
            &link,
            "`true` with a secret variable",
            &ConnectorArguments::new().with_env_var("X", Secret::from("x")),
        )
        .await?,
        output(&link).await?,
        put(&link, directory.path()).await?,
        tree(&link, directory.path()).await?,
    ];
    println!("| work | hostlink | peer | ratio |\n|---|---|---|---|");
    for Row { work, peer, ours, theirs } in rows {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("| {work} | {ours:.2?} | {peer} {theirs:.2?} | {ratio:.2} × |");
    }
    println!("\nPeak memory of the whole run: {} MiB", peak_memory()? / 1024);
    link.disconnect().await?;
    Ok(())
}

async fn latency(
    link: &Link,
    work: &'static str,
    arguments: &ConnectorArguments,
) -> Result<Row, Failure> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let command = StringCommand::shell("true");
    for _ in 0..300 {
        let start = Instant::now();
        Command::new("sh").args(["-c", "true"]).output()?;
        theirs.push(start.elapsed());
        let start = Instant::now();
        link.run_shell_command(&command, arguments).await?.check()?;
        ours.push(start.elapsed());
    }
    Ok(Row { work, peer: "`sh -c true`", ours: median(ours), theirs: median(theirs) })
}

async fn output(link: &Link) -> Result<Row, Failure> {
    const LINE: &str = "head -c 1000000000 /dev/zero";
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let options = RunOptions::default().with_output_limit(0);
    for _ in 0..3 {
        theirs.push(shell(&format!("{LINE} | cat >/dev/null"))?);
        let start = Instant::now();
        let command = StringCommand::shell(LINE);
        link.run_shell_command_with(&command, &ConnectorArguments::new(), &options)
            .await?
            .check()?;
        ours.push(start.elapsed());
    }
    Ok(Row {
        work: "1 GB of output, dropped",
        peer: "`… \\| cat >/dev/null`",
        ours: median(ours),
        theirs: median(theirs),
    })
}

async fn put(link: &Link, directory: &Path) -> Result<Row, Failure> {
    let (from, to) = (directory.join("from"), directory.join("to"));
    shell(&format!("head -c {} /dev/urandom >'{}'", 256 << 20, from.display()))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        theirs.push(shell(&format!("cp '{}' '{}'", from.display(), to.display()))?);
        std::fs::remove_file(&to)?;
        let start = Instant::now();
        let path = to.to_str().ok_or("the temporary directory has no UTF-8 name")?;
        link.put_file(Source::path(&from), path, &PutOptions::default()).await?;
        ours.push(start.elapsed());
        std::fs::remove_file(&to)?;
    }
    Ok(Row { work: "put of 256 MiB", peer: "`cp`", ours: median(ours), theirs: median(theirs) })
}

async fn tree(link: &Link, directory: &Path) -> Result<Row, Failure> {
    let (from, to) = (directory.join("tree"), directory.join("copy"));
    std::fs::create_dir(&from)?;
    for index in 0..1000 {
        std::fs::write(from.join(format!("file-{index}")), [b'x'; 1024])?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (source, copy) = (from.display(), to.display());
        let tar = format!("mkdir '{copy}'; tar -cf - -C '{source}' . | tar -xf - -C '{copy}'");
        theirs.push(shell(&tar)?);
        std::fs::remove_dir_all(&to)?;
        let start = Instant::now();
        let path = to.to_str().ok_or("the temporary directory has no UTF-8 name")?;
        link.put_dir(&from, path, &PutOptions::default()).await?;
        ours.push(start.elapsed());
        std::fs::remove_dir_all(&to)?;
    }
    Ok(Row {
        work: "put -r of 1,000 files of 1 KiB",
        peer: "`tar \\| tar`",
        ours: median(ours),
        theirs: median(theirs),
    })
}

/// How long a line of shell takes.
fn shell(line: &str) -> Result<Duration, Failure> {
    let start = Instant::now();
    let status = Command::new("sh").args(["-c", line]).stdin(Stdio::null()).status()?;
    if status.success() { Ok(start.elapsed()) } else { Err(format!("{line}: {status}").into()) }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// In KiB (VmHWM, proc(5)).
fn peak_memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
