//! Commands that are run again at the caller's request.

use std::time::Duration;

use anyhow::ensure;
use hostlink_core::{ConnectorArguments, ErrorKind, RetryUntil, Stdin};

use crate::scene::Scene;
use crate::settings::plain;

cases![
    a_command_is_run_once_unless_retries_are_asked_for,
    retries_run_a_failing_command_again_and_stop_at_a_success,
    retry_until_runs_a_successful_command_again,
    every_attempt_reads_the_same_stdin,
    retries_with_a_stdin_for_one_use_are_refused,
];

fn retrying(retries: u32) -> ConnectorArguments {
    plain().with_retries(retries).with_retry_delay(Duration::from_millis(10))
}

/// Counts its runs in a file, and exits with 1 unless it is run number `success`.
fn counting(scene: &Scene, success: u32) -> String {
    let path = scene.path("runs");
    format!("cat >>{path}; echo run >>{path}; [ $(grep -c run {path}) -eq {success} ]")
}

async fn runs(scene: &Scene) -> anyhow::Result<usize> {
    Ok(scene.sh_text("grep -c run runs || :").await?.parse()?)
}

async fn a_command_is_run_once_unless_retries_are_asked_for(scene: &Scene) -> anyhow::Result<()> {
    let output = scene.run(counting(scene, 9)).await?;
    ensure!(output.exit_code() == Some(1) && runs(scene).await? == 1);
    Ok(())
}

async fn retries_run_a_failing_command_again_and_stop_at_a_success(
    scene: &Scene,
) -> anyhow::Result<()> {
    let output = scene.run_with(counting(scene, 3), &retrying(5)).await?;
    ensure!(output.success() && runs(scene).await? == 3, "{} runs", runs(scene).await?);
    let output = scene.run_with(counting(scene, 99), &retrying(2)).await?;
    ensure!(!output.success() && runs(scene).await? == 6, "{} runs", runs(scene).await?);
    Ok(())
}

async fn retry_until_runs_a_successful_command_again(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.path("runs");
    let line = format!("echo run >>{path}; grep -c run {path}");
    let until = RetryUntil::new(|output| output.stdout_lines() != ["4"]);
    let output = scene.run_with(line, &retrying(9).with_retry_until(until)).await?;
    ensure!(output.stdout_lines() == ["4"] && runs(scene).await? == 4);
    Ok(())
}

async fn every_attempt_reads_the_same_stdin(scene: &Scene) -> anyhow::Result<()> {
    let file = scene.file_here("input", b"input\n")?;
    for (number, stdin) in [Stdin::from("input\n"), Stdin::file(file)].into_iter().enumerate() {
        scene.run_with(counting(scene, 99), &retrying(2).with_stdin(stdin)).await?;
        let wanted = "input\nrun\n".repeat(3 * (number + 1));
        scene.expect_content(&scene.path("runs"), wanted.as_bytes()).await?;
    }
    Ok(())
}

async fn retries_with_a_stdin_for_one_use_are_refused(scene: &Scene) -> anyhow::Result<()> {
    let stdin = Stdin::reader(&b"once"[..]);
    let result = scene.run_with(counting(scene, 9), &retrying(1).with_stdin(stdin.clone())).await;
    let Err(error) = result else { anyhow::bail!("it was not refused") };
    ensure!(error.kind() == ErrorKind::Data, "{error:?}");
    ensure!(!scene.holds("[ -e runs ]").await?, "the command ran");
    scene.run_with(counting(scene, 9), &plain().with_stdin(stdin)).await?;
    ensure!(runs(scene).await? == 1, "the command leaves no trace when it runs");
    Ok(())
}
