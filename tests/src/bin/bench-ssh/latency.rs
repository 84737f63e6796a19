//! A command that does nothing, on a link that is open.

use std::time::Instant;

use hostlink::{ConnectorArguments, StringCommand};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, time};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::world::{HOST, World};

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let (command, arguments) = (StringCommand::shell("true"), ConnectorArguments::new());
    let session = openssh::Session::resume_mux(world.own_path("master").into(), None);
    let runtime = Handle::current();
    let peers = vec![
        Peer::new("`ssh -S`", || time(world.over_master.command("ssh").args([HOST, "true"])))
            .aim(1.0),
        Peer::new("package openssh", || {
            let start = Instant::now();
            block_in_place(|| runtime.block_on(session.shell("true").output()))?;
            Ok(start.elapsed())
        }),
    ];
    let ours = async || {
        let start = Instant::now();
        world.link.run_shell_command(&command, &arguments).await?.check()?;
        Ok(start.elapsed())
    };
    in_turns("`true` on an open link", world.sizes.commands, ours, peers).await
}
