//! `cargo xtask bench docker`: hostlink in a container beside Docker's own command, as ratios.
//!
//! Usage: `bench-docker [--quick] [PART…]`. All programs work on the same container, in turns, so
//! that other load on the machine affects all of them.

mod bare;
mod files;
mod latency;
mod memory;
mod trees;
mod world;

use std::process::ExitCode;

use hostlink_tests::bench::{Failure, Measured, Wanted, program};
use world::World;

/// In the order of the table.
const PARTS: [&str; 5] = ["latency", "files", "trees", "bare", "memory"];

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
    /// Small files where there is no tar.
    bare: usize,
    /// The size of the large file in the memory comparison, in bytes.
    large: u64,
}

const FULL: Sizes =
    Sizes { commands: 200, rounds: 5, file: 1 << 30, files: 1000, bare: 100, large: 4 << 30 };

const QUICK: Sizes =
    Sizes { commands: 20, rounds: 3, file: 64 << 20, files: 100, bare: 10, large: 256 << 20 };

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    program("bench-docker", &words, &PARTS, measure).await
}

async fn measure(wanted: &Wanted) -> Result<Measured, Failure> {
    let world = World::start(if wanted.is_quick { QUICK } else { FULL }).await?;
    let (mut rows, mut notes): Measured = Default::default();
    for part in wanted.parts() {
        match part {
            "latency" => rows.extend(latency::measure(&world).await?),
            "files" => rows.extend(files::measure(&world).await?),
            "trees" => rows.extend(trees::measure(&world).await?),
            "bare" => rows.extend(bare::measure(&world).await?),
            _ => notes.push(memory::measure(&world).await?),
        }
    }
    world.link.disconnect().await?;
    Ok((rows, notes))
}
