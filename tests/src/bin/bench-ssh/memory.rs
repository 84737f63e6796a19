//! Memory while a large file goes there and comes back: it must not grow with the file.

use std::fs;
use std::io;

use hostlink::transfer::{GetOptions, PutOptions, Sink, Source};
use rustix::fs::statvfs;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use super::Failure;
use super::world::{World, give, shown};

/// The file beside which the large one is put.
const SMALL: u64 = 64 << 20;

pub(crate) async fn measure(world: &World) -> Result<String, Failure> {
    let (dir, large) = (tempfile::tempdir()?, world.sizes.large);
    let needed = large + large / 2;
    let free = free(&dir)?;
    if free < needed {
        let (free, needed) = (free >> 20, needed >> 20);
        return Ok(format!(
            "Memory was not measured: {free} MiB free on the disk, {needed} wanted."
        ));
    }
    eprintln!("memory …");
    give(&world.host, dir.path())?;
    let (small_put, small_get) = there_and_back(world, &dir, SMALL).await?;
    let (large_put, large_get) = there_and_back(world, &dir, large).await?;
    let large = large >> 20;
    Ok(format!(
        "Peak memory of the process: put of {} MiB {small_put:.1} MiB, of {large} MiB {large_put:.1} MiB; get of {} MiB \
         {small_get:.1} MiB, of {large} MiB {large_get:.1} MiB.",
        SMALL >> 20,
        SMALL >> 20
    ))
}

/// The peaks of putting a file and of getting it.
async fn there_and_back(world: &World, dir: &TempDir, size: u64) -> Result<(f64, f64), Failure> {
    let to = dir.path().join("large");
    forget_peak()?;
    let source = Source::reader(tokio::io::repeat(b'x').take(size));
    world.link.put_file(source, shown(&to)?, &PutOptions::default()).await?;
    let put = peak()?;
    forget_peak()?;
    let mut nowhere = tokio::io::sink();
    world.link.get_file(shown(&to)?, Sink::Writer(&mut nowhere), &GetOptions::default()).await?;
    let get = peak()?;
    fs::remove_file(to)?;
    Ok((put, get))
}

/// The peak is what there is now (proc(5), `clear_refs`).
fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// In MiB (VmHWM, proc(5)).
fn peak() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes / 1024.0)
}

fn free(dir: &TempDir) -> Result<u64, Failure> {
    let it = statvfs(dir.path())?;
    Ok(it.f_bavail * it.f_frsize)
}
