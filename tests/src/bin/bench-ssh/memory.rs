//! Memory use while a large file is put and got: it must not grow with the file.

use std::fs;

use hostlink::transfer::{GetOptions, PutOptions, Sink, Source};
use hostlink_tests::bench::memory::{Peaks, SMALL, comparison, peak, reset_peak};
use hostlink_tests::bench::{Failure, shown, too_large_for};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use super::world::{World, give};

pub(crate) async fn measure(world: &World) -> Result<String, Failure> {
    let (dir, large) = (tempfile::tempdir()?, world.sizes.large);
    if let Some(why) = too_large_for(dir.path(), large)? {
        return Ok(why);
    }
    eprintln!("memory …");
    give(&world.host, dir.path())?;
    let beside = put_and_get(world, &dir, SMALL).await?;
    Ok(comparison(beside, put_and_get(world, &dir, large).await?, large))
}

async fn put_and_get(world: &World, dir: &TempDir, size: u64) -> Result<Peaks, Failure> {
    let to = dir.path().join("large");
    reset_peak()?;
    let source = Source::reader(tokio::io::repeat(b'x').take(size));
    world.link.put_file(source, shown(&to)?, &PutOptions::default()).await?;
    let put = peak()?;
    reset_peak()?;
    let mut nowhere = tokio::io::sink();
    world.link.get_file(shown(&to)?, Sink::Writer(&mut nowhere), &GetOptions::default()).await?;
    let get = peak()?;
    fs::remove_file(to)?;
    Ok(Peaks { put, get })
}
