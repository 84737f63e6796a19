//! A command that does nothing.

use std::process::Command;
use std::time::Instant;

use hostlink::{ConnectorArguments, StringCommand};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, time};

use super::world::World;

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let (command, arguments) = (StringCommand::shell("true"), ConnectorArguments::new());
    let name = world.container.name();
    let peer = || time(Command::new("docker").args(["exec", name, "true"]));
    let ours = async || {
        let start = Instant::now();
        world.link.run_shell_command(&command, &arguments).await?.check()?;
        Ok(start.elapsed())
    };
    let peers = vec![Peer::new("`docker exec`", peer).aim(0.7)];
    in_turns("`true`", world.sizes.commands, ours, peers).await
}
