//! One large file, in memory on this machine.

use std::fs;
use std::path::Path;
use std::time::Instant;

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, shown, take_file, time, write_random};

use super::world::{Place, World, docker_cp, of, take_file_in};

/// Twice as fast.
const AIM: f64 = 0.5;

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let from = world.here("from");
    write_random(&from, world.sizes.file)?;
    let mut rows = Vec::new();
    for place in [Place::Memory, Place::Disk] {
        rows.extend(put(world, &from, place).await?);
        rows.extend(get(world, &from, place).await?);
    }
    fs::remove_file(from)?;
    Ok(rows)
}

fn work(world: &World, verb: &str, place: Place) -> String {
    format!("{verb} of {} MiB, {}", world.sizes.file >> 20, place.shown())
}

async fn put(world: &World, from: &Path, place: Place) -> Result<Vec<Row>, Failure> {
    let (container, to) = (&world.container, place.path("to"));
    let taken = || take_file_in(container, &to, from);
    let ours = async || {
        let start = Instant::now();
        world.link.put_file(Source::path(from), &to, &PutOptions::default()).await?;
        let took = start.elapsed();
        taken().map(|()| took)
    };
    let source = shown(from)?;
    let peer = Peer::new("`docker cp`", || {
        let took = time(&mut docker_cp(source, &of(container, &to)))?;
        taken().map(|()| took)
    });
    let (work, rounds) = (work(world, "put", place), world.sizes.rounds);
    in_turns(&work, rounds, ours, vec![peer.aim(AIM)]).await
}

async fn get(world: &World, sent: &Path, place: Place) -> Result<Vec<Row>, Failure> {
    let (container, from, to) = (&world.container, place.path("from"), world.here("to"));
    world.link.put_file(Source::path(sent), &from, &PutOptions::default()).await?;
    let taken = || take_file(&to, world.sizes.file);
    let ours = async || {
        let start = Instant::now();
        world.link.get_file(&from, to.clone(), &GetOptions::default()).await?;
        let took = start.elapsed();
        taken().map(|()| took)
    };
    let copy = shown(&to)?;
    let peer = Peer::new("`docker cp`", || {
        let took = time(&mut docker_cp(&of(container, &from), copy))?;
        taken().map(|()| took)
    });
    let (work, rounds) = (work(world, "get", place), world.sizes.rounds);
    let rows = in_turns(&work, rounds, ours, vec![peer.aim(AIM)]).await?;
    take_file_in(container, &from, sent)?;
    Ok(rows)
}
