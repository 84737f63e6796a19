//! Commands that are killed.

use std::time::Duration;

use anyhow::ensure;
use hostlink_core::{RunOptions, Secret};

use crate::random;
use crate::scene::Scene;
use crate::settings::plain;
use crate::time_out::{announce, time_out, time_out_with};
use crate::watch::until;

cases![
    timeout_leaves_no_process_behind: SecondSession,
    timeout_ends_what_ignores_signals: SecondSession,
    timeout_of_a_command_sent_over_stdin_leaves_no_process_behind: SecondSession,
    a_timeout_carries_the_output_so_far_and_proof_of_the_kill: SecondSession,
    a_timeout_holds_for_a_command_that_keeps_writing: SecondSession,
    dropping_the_future_kills_the_command: SecondSession,
    a_command_dropped_at_any_moment_leaves_no_process_behind: SecondSession,
    disconnect_waits_for_the_kill_of_a_dropped_command: SecondSession,
    a_kill_reaches_no_other_command: SecondSession,
];

async fn timeout_leaves_no_process_behind(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let line =
        format!("sleep {seconds} & exec >/dev/null 2>&1; {}; sleep {seconds}; :", announce(scene));
    time_out(scene, line, &plain()).await?;
    scene.expect_gone(&seconds).await
}

async fn timeout_ends_what_ignores_signals(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let line =
        format!("trap '' TERM INT HUP; {}; sleep {seconds}; sleep {seconds}", announce(scene));
    time_out(scene, line, &plain()).await?;
    scene.expect_gone(&seconds).await
}

async fn timeout_of_a_command_sent_over_stdin_leaves_no_process_behind(
    scene: &Scene,
) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let arguments = plain().with_env_var("HL_SECRET", Secret::from("hunter2"));
    let line = format!("sleep {seconds} & {}; sleep {seconds}", announce(scene));
    let error = time_out(scene, line, &arguments).await?;
    ensure!(!format!("{error:?}").contains("hunter2"));
    scene.expect_gone(&seconds).await
}

async fn a_timeout_carries_the_output_so_far_and_proof_of_the_kill(
    scene: &Scene,
) -> anyhow::Result<()> {
    let line = format!("echo before; echo error >&2; {}; sleep 600", announce(scene));
    let error = time_out(scene, line, &plain()).await?;
    let Some(output) = error.output() else { anyhow::bail!("no output") };
    ensure!(output.stdout() == b"before\n" && output.stderr() == b"error\n");
    ensure!(output.status().is_none() && !output.success());
    ensure!(error.kill_confirmed() == Some(true), "{error:?}");
    ensure!(error.target() == Some(scene.link.name()), "{error}");
    Ok(())
}

async fn a_timeout_holds_for_a_command_that_keeps_writing(scene: &Scene) -> anyhow::Result<()> {
    let word = random::word();
    let options = RunOptions::default().with_output_limit(1000);
    let line = format!("yes {word} | head -c 2000; {}; yes {word}", announce(scene));
    let error = time_out_with(scene, line, &plain(), &options).await?;
    ensure!(error.output().is_some_and(|output| output.truncated()));
    scene.expect_gone(&word).await
}

async fn dropping_the_future_kills_the_command(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let line = format!("echo $$ >{}; sleep {seconds} & sleep {seconds}", scene.path("pid"));
    let pid = tokio::select! {
        ended = scene.run(line) => anyhow::bail!("it ended: {ended:?}"),
        pid = scene.wait_for_pid("pid") => pid?,
    };
    scene.wait_for_death(pid).await?;
    scene.expect_gone(&seconds).await
}

/// The command may be dropped before it has announced its pid: then the library does not know yet
/// what to kill.
async fn a_command_dropped_at_any_moment_leaves_no_process_behind(
    scene: &Scene,
) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let moments = (0..4000).step_by(250).chain([8000, 16_000, 32_000]);
    for microseconds in scene.sample(moments) {
        let run = scene.run(format!("sleep {seconds} & sleep {seconds}"));
        let _ = tokio::time::timeout(Duration::from_micros(microseconds), run).await;
    }
    scene.expect_gone(&seconds).await?;
    // A process that was still starting at the first check is there by now.
    scene.run("sleep 0.2").await?;
    scene.expect_gone(&seconds).await
}

async fn disconnect_waits_for_the_kill_of_a_dropped_command(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let link = scene.another_link().await?;
    let command = format!("echo $$ >{}; sleep {seconds}; :", scene.path("pid"));
    let arguments = plain();
    tokio::select! {
        ended = link.run_shell_command(&command, &arguments) => anyhow::bail!("it ended: {ended:?}"),
        alive = async {
            let pid = scene.wait_for_pid("pid").await?;
            scene.expect_processes(&seconds, 2).await.map(|()| pid)
        } => alive?,
    };
    link.disconnect().await?;
    ensure!(scene.without_kill(&seconds).await?.is_empty(), "it outlived the link");
    Ok(())
}

async fn a_kill_reaches_no_other_command(scene: &Scene) -> anyhow::Result<()> {
    let line = format!("while [ ! -e {} ]; do sleep 0.05; done; exit 3", scene.path("go"));
    let other = scene.run(line);
    let killed = async {
        time_out(scene, format!("{}; sleep 600", announce(scene)), &plain()).await?;
        scene.plant("go", b"").await?;
        until("the file is there", || scene.holds("[ -e go ]")).await
    };
    let (output, killed) = tokio::join!(other, killed);
    killed?;
    ensure!(output?.exit_code() == Some(3));
    Ok(())
}
