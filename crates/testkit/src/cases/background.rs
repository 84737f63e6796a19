//! Background processes of a command.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hostlink_core::RunOptions;

use crate::random;
use crate::scene::Scene;
use crate::settings::plain;
use crate::time_out::{announce, time_out_with};

cases![
    a_child_left_behind_with_the_output_lives_and_the_call_returns:
        OutputOfOrphans | SecondSession | Alone,
    a_child_left_behind_with_the_output_dies_when_the_time_is_up:
        OutputOfOrphans | SecondSession | Alone,
    a_child_that_closed_the_output_lives: Alone,
    output_of_a_child_left_behind_is_read_until_it_falls_silent:
        OutputOfOrphans | LateOutputOfOrphans | SecondSession | Alone,
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
    ensure!(output.output_open(), "the output is reported as ended");
    ensure!(took < Duration::from_secs(10), "it took {took:?}");
    ensure!(alive.len() == 1, "the child is gone");
    Ok(())
}

async fn a_child_left_behind_with_the_output_dies_when_the_time_is_up(
    scene: &Scene,
) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let options = RunOptions { output_silence: Duration::from_secs(90), ..RunOptions::default() };
    let line = format!("sleep {seconds} & echo done; {}", announce(scene));
    let ended = time_out_with(scene, line, &plain(), &options).await;
    let gone = scene.expect_gone(&seconds).await;
    if gone.is_err() {
        scene.end_processes(&seconds).await?;
    }
    ensure!(ended?.output().is_some_and(|output| output.stdout() == b"done\n"));
    gone
}

async fn a_child_that_closed_the_output_lives(scene: &Scene) -> anyhow::Result<()> {
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
