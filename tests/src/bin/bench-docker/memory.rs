//! Memory use while a large file is put and got: it must not grow with the file.

use std::path::Path;
use std::process::Command;

use hostlink::transfer::{GetOptions, PutOptions, Sink, Source};
use hostlink_tests::bench::memory::{Peaks, SMALL, comparison, peak, reset_peak};
use hostlink_tests::bench::{Failure, too_large_for};
use tokio::io::AsyncReadExt;

use super::world::{Place, World};

pub(crate) async fn measure(world: &World) -> Result<String, Failure> {
    let large = world.sizes.large;
    let said = Command::new("docker").args(["info", "--format", "{{.DockerRootDir}}"]).output()?;
    let disk = String::from_utf8(said.stdout)?;
    if let Some(why) = too_large_for(Path::new(disk.trim()), large)? {
        return Ok(why);
    }
    eprintln!("memory …");
    let beside = put_and_get(world, SMALL).await?;
    Ok(comparison(beside, put_and_get(world, large).await?, large))
}

async fn put_and_get(world: &World, size: u64) -> Result<Peaks, Failure> {
    let path = Place::Disk.path("large");
    reset_peak()?;
    let source = Source::reader(tokio::io::repeat(b'x').take(size));
    let stored = world.link.put_file(source, &path, &PutOptions::default()).await?;
    let put = peak()?;
    reset_peak()?;
    let mut nowhere = tokio::io::sink();
    let sink = Sink::Writer(&mut nowhere);
    let got = world.link.get_file(&path, sink, &GetOptions::default()).await?;
    let get = peak()?;
    let _ = world.container.shell(&format!("rm {path}"));
    match (stored.bytes, got.bytes) {
        (put_bytes, got_bytes) if put_bytes == size && got_bytes == size => Ok(Peaks { put, get }),
        bytes => Err(format!("{bytes:?} of {size} bytes came").into()),
    }
}
