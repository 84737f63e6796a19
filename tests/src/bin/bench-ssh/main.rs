//! `cargo xtask bench ssh`: hostlink over SSH beside OpenSSH's own programs, rsync and pssh, as ratios.
//!
//! `bench-ssh [--quick] [PART…]`, as root. The server is an sshd of its own on the loopback, and the peers go over one
//! login that stays open, as hostlink does. They take turns, so that what else the machine does falls on all of them.

mod clients;
mod files;
mod hosts;
mod latency;
mod memory;
mod output;
mod table;
mod trees;
mod world;

use std::process::ExitCode;

use table::Row;
use world::World;

type Failure = Box<dyn std::error::Error>;

/// In the order of the table.
const PARTS: [&str; 6] = ["latency", "files", "trees", "output", "hosts", "memory"];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    is_quick: bool,
    /// Runs of `true`.
    commands: usize,
    /// Rounds of everything else.
    rounds: usize,
    /// One large file, in bytes.
    file: u64,
    /// Small files.
    files: usize,
    /// Output of a command, in bytes.
    output: u64,
    hosts: u8,
    /// The file for which memory must stay as it is, in bytes.
    large: u64,
}

const FULL: Sizes = Sizes {
    is_quick: false,
    commands: 200,
    rounds: 5,
    file: 1 << 30,
    files: 1000,
    output: 1_000_000_000,
    hosts: 50,
    large: 4 << 30,
};

const QUICK: Sizes = Sizes {
    is_quick: true,
    commands: 20,
    rounds: 3,
    file: 64 << 20,
    files: 100,
    output: 50_000_000,
    hosts: 5,
    large: 256 << 20,
};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, command)) = words.split_first()
        && first == clients::FLAG
    {
        return clients::serve(command);
    }
    match measure(&words).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-ssh: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(words: &[String]) -> Result<(), Failure> {
    let (flags, parts): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with("--"));
    if let Some(wrong) = flags.iter().find(|flag| **flag != "--quick") {
        return Err(format!("there is no flag {wrong}; there is --quick").into());
    }
    if let Some(wrong) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(format!("there is no part {wrong}; there are {}", PARTS.join(", ")).into());
    }
    let sizes = if flags.is_empty() { FULL } else { QUICK };
    let load = load()?;
    let world = World::start(sizes).await?;
    let (mut rows, mut notes): (Vec<Row>, Vec<String>) = Default::default();
    for part in PARTS {
        if !parts.is_empty() && !parts.iter().any(|wanted| *wanted == part) {
            continue;
        }
        match part {
            "latency" => rows.extend(latency::measure(&world).await?),
            "files" => rows.extend(files::measure(&world).await?),
            "trees" => rows.extend(trees::measure(&world).await?),
            "output" => rows.extend(output::measure(&world).await?),
            "hosts" => rows.extend(hosts::measure(&world)?),
            _ => notes.push(memory::measure(&world).await?),
        }
    }
    world.end().await?;
    println!("{}", table::render(&rows));
    for note in notes {
        println!("{note}\n");
    }
    if sizes.is_quick {
        println!("These are the small sizes of `--quick`, which prove nothing.\n");
    }
    println!("Load average at the start {load}, at the end {}.", self::load()?);
    Ok(())
}

/// Over one minute. A run on a machine that does other things is no measurement.
fn load() -> Result<String, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
