//! A command that writes much output.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use async_trait::async_trait;
use hostlink::run::{OutputSink, RunOptions, Stream};
use hostlink::{ConnectorArguments, StringCommand};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, time};

use super::clients;
use super::world::{HOST, World};

/// Counts the bytes that it drops.
struct Count(u64);

#[async_trait]
impl OutputSink for Count {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
}

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let size = world.sizes.output;
    let line = format!("head -c {size} /dev/zero");
    let (command, arguments) = (StringCommand::shell(line.as_str()), ConnectorArguments::new());
    let options = RunOptions::default().with_output_limit(0);
    let ours = async || {
        let (start, mut sink) = (Instant::now(), Count(0));
        let run = world.link.run_streaming(&command, &arguments, &options, &mut sink);
        run.await?.check()?;
        match sink.0 {
            count if count == size => Ok(start.elapsed()),
            count => Err(format!("{count} bytes came").into()),
        }
    };
    let peer = || time(world.over_master.command("ssh").args([HOST, &line]));
    let peers = vec![Peer::new("`ssh -S … >/dev/null`", peer).aim(1.1)];
    let work = format!("{} MB of output, library", size / 1_000_000);
    let mut rows = in_turns(&work, world.sizes.rounds, ours, peers).await?;
    let words = ["exec", "--", &line];
    let program: PathBuf = clients::hostlink()?;
    let ours = async || {
        let mut command = Command::new(&program);
        time(command.args(clients::data_words(world)).arg(&world.host.target).args(words))
    };
    let peer = || time(world.alone.command("ssh").args([HOST, &line]));
    let peers = vec![Peer::new("`ssh … >/dev/null`", peer).aim(1.1)];
    let work = format!("login, {} MB of output, command line", size / 1_000_000);
    rows.extend(in_turns(&work, world.sizes.rounds, ours, peers).await?);
    Ok(rows)
}
