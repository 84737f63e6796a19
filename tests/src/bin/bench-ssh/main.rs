//! `cargo xtask bench ssh`: hostlink over SSH beside OpenSSH's own programs, rsync and pssh, as
//! ratios.
//!
//! Usage: `bench-ssh [--quick] [PART…]`, as root. The server is an sshd on the loopback that the
//! benchmark starts. The peers use one login that stays open, as hostlink does. They take turns, so
//! that other load on the machine affects all of them.

mod clients;
mod files;
mod hosts;
mod latency;
mod memory;
mod output;
mod trees;
mod world;

use std::process::ExitCode;

use hostlink_tests::bench::{Failure, Measured, Wanted, program};
use world::World;

/// In the order of the table.
const PARTS: [&str; 6] = ["latency", "files", "trees", "output", "hosts", "memory"];

/// The amount that is measured.
#[derive(Clone, Copy, Debug)]
struct Sizes {
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
    /// The size of the large file in the memory comparison, in bytes.
    large: u64,
}

const FULL: Sizes = Sizes {
    commands: 200,
    rounds: 5,
    file: 1 << 30,
    files: 1000,
    output: 1_000_000_000,
    hosts: 50,
    large: 4 << 30,
};

const QUICK: Sizes = Sizes {
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
    program("bench-ssh", &words, &PARTS, measure).await
}

async fn measure(wanted: &Wanted) -> Result<Measured, Failure> {
    let world = World::start(if wanted.is_quick { QUICK } else { FULL }).await?;
    let (mut rows, mut notes): Measured = Default::default();
    for part in wanted.parts() {
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
    Ok((rows, notes))
}
