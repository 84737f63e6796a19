//! What a command leaves behind.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hostlink_core::{ErrorKind, RunOptions};

use crate::random;
use crate::scene::{Scene, plain};

cases![
    a_child_left_behind_with_the_output_lives_and_the_call_returns,
    a_child_left_behind_with_the_output_dies_when_the_time_is_up,
    a_child_that_let_go_of_the_output_lives,
    output_of_a_child_left_behind_is_read_until_it_falls_silent,
];

async fn a_child_left_behind_with_the_output_lives_and_the_call_returns(
    scene: &Scene,
) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let started = Instant::now();
    let output = scene.run(format!("sleep {seconds} & echo done")).await?;
    let took = started.elapsed();
    let alive = scene.with_argument(&seconds).await?;
    scene.end_processes(&seconds).await?;
    ensure!(output.stdout() == b"done\n" && output.exit_code() == Some(0));
    ensure!(output.output_open(), "the output is said to have ended");
    ensure!(took < Duration::from_secs(10), "it took {took:?}");
    ensure!(alive.len() == 1, "the child is gone");
    Ok(())
}

async fn a_child_left_behind_with_the_output_dies_when_the_time_is_up(
    scene: &Scene,
) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let options = RunOptions { output_silence: Duration::from_secs(90), ..RunOptions::default() };
    let arguments = plain().with_timeout(Duration::from_secs(2));
    let command = format!("sleep {seconds} & echo done").into();
    let run = scene.link.run_shell_command_with(&command, &arguments, &options);
    let (result, seen) = tokio::join!(run, scene.expect_processes(&seconds, 1));
    let gone = scene.expect_gone(&seconds).await;
    if gone.is_err() {
        scene.end_processes(&seconds).await?;
    }
    let Err(error) = result else { anyhow::bail!("it ended") };
    ensure!(error.kind() == ErrorKind::Timeout, "{error:?}");
    ensure!(error.output().is_some_and(|output| output.stdout() == b"done\n"));
    seen.and(gone)
}

async fn a_child_that_let_go_of_the_output_lives(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let line = format!("sleep {seconds} >/dev/null 2>&1 </dev/null & echo done");
    let output = scene.run(line).await?;
    let alive = scene.with_argument(&seconds).await?;
    scene.end_processes(&seconds).await?;
    ensure!(output.stdout() == b"done\n" && !output.output_open());
    ensure!(alive.len() == 1, "the child is gone");
    Ok(())
}

async fn output_of_a_child_left_behind_is_read_until_it_falls_silent(
    scene: &Scene,
) -> anyhow::Result<()> {
    let line = "(for i in 1 2 3; do sleep 0.5; echo late$i; done) & echo done";
    let output = scene.run(line).await?;
    ensure!(output.stdout_lines() == ["done", "late1", "late2", "late3"]);
    ensure!(!output.output_open());
    Ok(())
}
