//! Small files in a container without tar, where hostlink moves them one by one.

use std::fs;
use std::time::Instant;

use hostlink::transfer::{GetOptions, PutOptions};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, shown, take_tree, time, write_tree};
use hostlink_tests::container::{Container, DEBIAN};

use super::world::{World, docker_cp, link, of, take_tree_in};

const COPY: &str = "/copy";

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let container = Container::start(DEBIAN);
    let said = container.shell("rm \"$(command -v tar)\"; command -v tar || echo none");
    if said != "none\n" {
        return Err(format!("there is still a tar: {said}").into());
    }
    let link = link(&container).await?;
    let (tree, back) = (world.here("tree"), world.here("back"));
    let (files, rounds) = (world.sizes.bare, world.sizes.rounds);
    let work = |verb| format!("{verb} of {files} files of 1 KiB, without tar");
    write_tree(&tree, files)?;

    let ours = async || {
        let start = Instant::now();
        link.put_dir(&tree, COPY, &PutOptions::default()).await?;
        let took = start.elapsed();
        take_tree_in(&container, COPY, files).map(|()| took)
    };
    let peer = Peer::new("`docker cp`", || {
        let took = time(&mut docker_cp(shown(&tree)?, &of(&container, COPY)))?;
        take_tree_in(&container, COPY, files).map(|()| took)
    });
    let mut rows = in_turns(&work("put"), rounds, ours, vec![peer]).await?;

    link.put_dir(&tree, COPY, &PutOptions::default()).await?;
    let ours = async || {
        let start = Instant::now();
        link.get_dir(COPY, &back, &GetOptions::default()).await?;
        let took = start.elapsed();
        take_tree(&back, files).map(|()| took)
    };
    let peer = Peer::new("`docker cp`", || {
        let took = time(&mut docker_cp(&of(&container, COPY), shown(&back)?))?;
        take_tree(&back, files).map(|()| took)
    });
    rows.extend(in_turns(&work("get"), rounds, ours, vec![peer]).await?);

    fs::remove_dir_all(tree)?;
    link.disconnect().await?;
    Ok(rows)
}
