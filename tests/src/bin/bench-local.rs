//! `cargo xtask bench local`: hostlink on this machine beside the bare tools, in one run, as
//! ratios.
//!
//! Each pair is measured in turns, so that other load on the machine affects both. The medians are
//! compared.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hostlink::run::RunOptions;
use hostlink::transfer::{PutOptions, Source};
use hostlink::{ConnectorArguments, Context, Data, Link, Secret, StringCommand, builtin_registry};
use hostlink_tests::bench::memory::peak;
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{
    Failure, Wanted, shown, take_file, take_tree, time, time_shell, write_random, write_tree,
};

/// The size of the large file.
const FILE: u64 = 256 << 20;

/// The number of small files.
const FILES: usize = 1000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let wanted = Wanted::read(&[], &[])?;
    let directory = tempfile::tempdir()?;
    let link = builtin_registry().connect("@local", &Data::new(), &Context::default()).await?;
    let (plain, secret) =
        (ConnectorArguments::new(), ConnectorArguments::new().with_env_var("X", Secret::from("x")));
    let mut rows = latency(&link, "`true`", &plain).await?;
    rows.extend(latency(&link, "`true` with a secret variable", &secret).await?);
    rows.extend(output(&link).await?);
    rows.extend(put(&link, directory.path()).await?);
    rows.extend(tree(&link, directory.path()).await?);
    link.disconnect().await?;
    wanted.print(&rows, &[format!("Peak memory of the whole run: {:.1} MiB", peak()?)])
}

async fn latency(
    link: &Link,
    work: &str,
    arguments: &ConnectorArguments,
) -> Result<Vec<Row>, Failure> {
    let command = StringCommand::shell("true");
    let ours = async || {
        let start = Instant::now();
        link.run_shell_command(&command, arguments).await?.check()?;
        Ok(start.elapsed())
    };
    let peer = Peer::new("`sh -c true`", || {
        let start = Instant::now();
        Command::new("sh").args(["-c", "true"]).output()?;
        Ok(start.elapsed())
    });
    in_turns(work, 300, ours, vec![peer]).await
}

async fn output(link: &Link) -> Result<Vec<Row>, Failure> {
    const LINE: &str = "head -c 1000000000 /dev/zero";
    let (command, arguments) = (StringCommand::shell(LINE), ConnectorArguments::new());
    let options = RunOptions::default().with_output_limit(0);
    let ours = async || {
        let start = Instant::now();
        link.run_shell_command_with(&command, &arguments, &options).await?.check()?;
        Ok(start.elapsed())
    };
    let line = format!("{LINE} | cat >/dev/null");
    let peer = Peer::new("`… \\| cat >/dev/null`", || time_shell(&line));
    in_turns("1 GB of output, dropped", 3, ours, vec![peer]).await
}

async fn put(link: &Link, directory: &Path) -> Result<Vec<Row>, Failure> {
    let (from, to) = (directory.join("from"), directory.join("to"));
    write_random(&from, FILE)?;
    let path = shown(&to)?;
    let ours = async || {
        let start = Instant::now();
        link.put_file(Source::path(&from), path, &PutOptions::default()).await?;
        let took = start.elapsed();
        take_file(&to, FILE).map(|()| took)
    };
    let peer = Peer::new("`cp`", || {
        let took = time(Command::new("cp").arg(&from).arg(&to))?;
        take_file(&to, FILE).map(|()| took)
    });
    in_turns("put of 256 MiB", 5, ours, vec![peer]).await
}

async fn tree(link: &Link, directory: &Path) -> Result<Vec<Row>, Failure> {
    let (from, to) = (directory.join("tree"), directory.join("copy"));
    write_tree(&from, FILES)?;
    let (source, copy) = (shown(&from)?, shown(&to)?);
    let ours = async || {
        let start = Instant::now();
        link.put_dir(&from, copy, &PutOptions::default()).await?;
        let took = start.elapsed();
        take_tree(&to, FILES).map(|()| took)
    };
    let line = format!("mkdir '{copy}'; tar -cf - -C '{source}' . | tar -xf - -C '{copy}'");
    let peer = Peer::new("`tar \\| tar`", || {
        let took = time_shell(&line)?;
        take_tree(&to, FILES).map(|()| took)
    });
    in_turns("put -r of 1,000 files of 1 KiB", 5, ours, vec![peer]).await
}
