//! Many small files.

use std::fs;
use std::time::Instant;

use hostlink::transfer::{GetOptions, PutOptions};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, shown, take_tree, time, time_shell, write_tree};

use super::world::{Place, World, docker_cp, of, take_tree_in};

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let tree = world.here("tree");
    write_tree(&tree, world.sizes.files)?;
    let mut rows = put(world).await?;
    rows.extend(get(world).await?);
    fs::remove_dir_all(tree)?;
    Ok(rows)
}

fn work(world: &World, verb: &str) -> String {
    format!("{verb} of {} files of 1 KiB, {}", world.sizes.files, Place::Memory.shown())
}

async fn put(world: &World) -> Result<Vec<Row>, Failure> {
    let (container, from, to) = (&world.container, world.here("tree"), Place::Memory.path("copy"));
    let taken = || take_tree_in(container, &to, world.sizes.files);
    let ours = async || {
        let start = Instant::now();
        world.link.put_dir(&from, &to, &PutOptions::default()).await?;
        let took = start.elapsed();
        taken().map(|()| took)
    };
    let source = shown(&from)?;
    let tar = format!(
        "tar -cf - -C {source} . | docker exec -i {} sh -c 'mkdir {to} && tar -xf - -C {to}'",
        container.name()
    );
    let peers = vec![
        Peer::new("`docker cp`", || {
            let took = time(&mut docker_cp(source, &of(container, &to)))?;
            taken().map(|()| took)
        }),
        Peer::new("`tar \\| docker exec tar`", || {
            let took = time_shell(&tar)?;
            taken().map(|()| took)
        }),
    ];
    in_turns(&work(world, "put"), world.sizes.rounds, ours, peers).await
}

async fn get(world: &World) -> Result<Vec<Row>, Failure> {
    let (container, from, to) = (&world.container, Place::Memory.path("tree"), world.here("copy"));
    world.link.put_dir(&world.here("tree"), &from, &PutOptions::default()).await?;
    let taken = || take_tree(&to, world.sizes.files);
    let ours = async || {
        let start = Instant::now();
        world.link.get_dir(&from, &to, &GetOptions::default()).await?;
        let took = start.elapsed();
        taken().map(|()| took)
    };
    let copy = shown(&to)?;
    let tar = format!(
        "mkdir {copy} && docker exec {} tar -cf - -C {from} . | tar -xf - -C {copy}",
        container.name()
    );
    let peers = vec![
        Peer::new("`docker cp`", || {
            let took = time(&mut docker_cp(&of(container, &from), copy))?;
            taken().map(|()| took)
        }),
        Peer::new("`docker exec tar \\| tar`", || {
            let took = time_shell(&tar)?;
            taken().map(|()| took)
        }),
    ];
    let rows = in_turns(&work(world, "get"), world.sizes.rounds, ours, peers).await?;
    take_tree_in(container, &from, world.sizes.files)?;
    Ok(rows)
}
