//! Many small files.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hostlink::transfer::{GetOptions, PutOptions};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, shown, take_tree, time, time_shell, write_tree};

use super::world::{HOST, World};

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let (from, to) = (world.path("tree"), world.path("copy"));
    write_tree(&from, world.sizes.files)?;
    let (sizes, ssh) = (world.sizes, world.ssh_line()?);
    let work = |verb| format!("{verb} of {} files of 1 KiB", sizes.files);
    let (source, copy) = (shown(&from)?, shown(&to)?);
    let put = async || {
        let start = Instant::now();
        world.link.put_dir(&from, copy, &PutOptions::default()).await?;
        arrived(world, &to, start)
    };
    let tar =
        format!("tar -cf - -C {source} . | {ssh} {HOST} 'mkdir {copy} && tar -xf - -C {copy}'");
    let pair = (source.to_owned(), format!("{HOST}:{copy}"));
    let mut rows = in_turns(&work("put"), sizes.rounds, put, peers(world, &to, tar, pair)?).await?;
    let get = async || {
        let start = Instant::now();
        world.link.get_dir(source, &to, &GetOptions::default()).await?;
        arrived(world, &to, start)
    };
    let tar = format!("mkdir {copy} && {ssh} {HOST} tar -cf - -C {source} . | tar -xf - -C {copy}");
    let pair = (format!("{HOST}:{source}"), copy.to_owned());
    rows.extend(in_turns(&work("get"), sizes.rounds, get, peers(world, &to, tar, pair)?).await?);
    fs::remove_dir_all(from)?;
    Ok(rows)
}

fn peers<'a>(
    world: &'a World,
    to: &'a Path,
    tar: String,
    (from, copy): (String, String),
) -> Result<Vec<Peer<'a>>, Failure> {
    let ssh = world.ssh_line()?;
    let (rsync_from, rsync_copy) = (format!("{from}/"), copy.clone());
    Ok(vec![
        Peer::new("`tar \\| ssh -S tar`", move || {
            let start = Instant::now();
            time_shell(&tar)?;
            arrived(world, to, start)
        })
        .aim(1.2),
        Peer::new("`scp -r`", move || {
            let start = Instant::now();
            time(world.over_master.command("scp").args(["-q", "-r", &from, &copy]))?;
            arrived(world, to, start)
        }),
        Peer::new("`rsync -r`", move || {
            let mut command = Command::new("rsync");
            let start = Instant::now();
            time(command.arg("-r").arg("-e").arg(&ssh).args([&rsync_from, &rsync_copy]))?;
            arrived(world, to, start)
        }),
    ])
}

/// Returns the elapsed time. All files must be there, and are removed.
fn arrived(world: &World, to: &Path, start: Instant) -> Result<Duration, Failure> {
    let took = start.elapsed();
    take_tree(to, world.sizes.files)?;
    Ok(took)
}
