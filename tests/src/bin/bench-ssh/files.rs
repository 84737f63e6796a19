//! One large file, in memory at both ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, shown, take_file, time, write_random};

use super::world::{HOST, World};

#[derive(Clone, Copy)]
enum Direction {
    Put,
    Get,
}

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let from = world.path("from");
    write_random(&from, world.sizes.file)?;
    let mut rows = put(world, &from).await?;
    rows.extend(get(world, &from).await?);
    fs::remove_file(from)?;
    Ok(rows)
}

async fn put(world: &World, from: &Path) -> Result<Vec<Row>, Failure> {
    let to = world.path("to");
    let path = shown(&to)?;
    let ours = async || {
        let start = Instant::now();
        world.link.put_file(Source::path(from), path, &PutOptions::default()).await?;
        arrived(world, &to, start)
    };
    let work = format!("put of {} MiB", world.sizes.file >> 20);
    in_turns(&work, world.sizes.rounds, ours, peers(world, Direction::Put, from, &to)?).await
}

async fn get(world: &World, from: &Path) -> Result<Vec<Row>, Failure> {
    let to = world.path("to");
    let path = shown(from)?;
    let ours = async || {
        let start = Instant::now();
        world.link.get_file(path, to.clone(), &GetOptions::default()).await?;
        arrived(world, &to, start)
    };
    let work = format!("get of {} MiB", world.sizes.file >> 20);
    in_turns(&work, world.sizes.rounds, ours, peers(world, Direction::Get, from, &to)?).await
}

fn peers<'a>(
    world: &'a World,
    direction: Direction,
    from: &'a Path,
    to: &'a Path,
) -> Result<Vec<Peer<'a>>, Failure> {
    let there = |path: &Path| format!("{HOST}:{}", path.display());
    let (source, destination) = match direction {
        Direction::Put => (from.display().to_string(), there(to)),
        Direction::Get => (there(from), to.display().to_string()),
    };
    let batch = world.own_path("batch");
    let ssh = world.ssh_line()?;
    let words = [source, destination];
    let rsync = words.clone();
    let run = move |mut command: Command| {
        let start = Instant::now();
        time(&mut command)?;
        arrived(world, to, start)
    };
    Ok(vec![
        Peer::new("`scp`", move || {
            let mut command = world.over_master.command("scp");
            command.arg("-q").args(&words);
            run(command)
        })
        .aim(1.0),
        Peer::new("`sftp`", move || {
            let word = match direction {
                Direction::Put => "put",
                Direction::Get => "get",
            };
            fs::write(&batch, format!("{word} {} {}\n", from.display(), to.display()))?;
            let mut command = world.over_master.command("sftp");
            command.arg("-q").arg("-b").arg(&batch).arg(HOST);
            run(command)
        }),
        Peer::new("`rsync`", move || {
            let mut command = Command::new("rsync");
            command.arg("-e").arg(&ssh).args(&rsync);
            run(command)
        }),
    ])
}

/// Returns the elapsed time. The file must be whole, and is removed.
fn arrived(world: &World, to: &Path, start: Instant) -> Result<Duration, Failure> {
    let took = start.elapsed();
    take_file(to, world.sizes.file)?;
    Ok(took)
}
