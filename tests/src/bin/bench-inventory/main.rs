//! `cargo xtask bench inventory`: time and memory for loading inventories, beside pyinfra and
//! Ansible.
//!
//! Usage: `bench-inventory [--quick] [PART…]`. Every measurement is a new process, since a peak of
//! memory is that of a process: this program again, as `bench-inventory --load …`.

mod load;
mod peers;
mod sizes;
mod written;

use std::path::PathBuf;
use std::process::ExitCode;

use hostlink_tests::bench::{Failure, Measured, Wanted, program};
use tempfile::TempDir;

use crate::written::Layout;

/// In the order of the table.
const PARTS: [&str; 4] = ["formats", "growth", "work", "peers"];

/// The amount that is measured.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    rounds: usize,
    /// Rounds for inventories that grow.
    growth_rounds: usize,
    /// Hosts of the inventory for the formats and the kinds of work.
    hosts: usize,
    /// Hosts of inventories that grow.
    growth: [usize; 3],
    /// Hosts of the inventory that peers read.
    peers: usize,
}

const FULL: Sizes = Sizes {
    rounds: 5,
    growth_rounds: 3,
    hosts: 100_000,
    growth: [10_000, 100_000, 1_000_000],
    peers: 10_000,
};

const QUICK: Sizes = Sizes {
    rounds: 1,
    growth_rounds: 1,
    hosts: 10_000,
    growth: [1_000, 10_000, 20_000],
    peers: 1_000,
};

/// The directory of the inventories, and the number of rounds.
#[derive(Debug)]
struct World {
    sizes: Sizes,
    directory: TempDir,
}

impl World {
    /// Returns the inventory of this many hosts in a format; writes it on first use.
    fn inventory(&self, hosts: usize, layout: Layout) -> Result<PathBuf, Failure> {
        let path = self.directory.path().join(format!("{hosts}.{}", layout.ending()));
        if !path.exists() {
            written::write(&path, hosts, layout)?;
        }
        Ok(path)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, work, path] = words.as_slice()
        && flag == load::FLAG
    {
        return load::child(work, path).await;
    }
    program("bench-inventory", &words, &PARTS, measure).await
}

async fn measure(wanted: &Wanted) -> Result<Measured, Failure> {
    let sizes = if wanted.is_quick { QUICK } else { FULL };
    let world = World { sizes, directory: tempfile::tempdir()? };
    let (mut rows, mut tables) = (Vec::new(), sizes::Table::default());
    for part in wanted.parts() {
        match part {
            "formats" => sizes::formats(&world, &mut tables)?,
            "growth" => sizes::growth(&world, &mut tables)?,
            "work" => sizes::work(&world, &mut tables)?,
            _ => rows.extend(peers::measure(&world).await?),
        }
    }
    Ok((rows, tables.notes()))
}
