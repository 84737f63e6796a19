//! A link as a whole.

use anyhow::ensure;
use futures::future::try_join_all;

use crate::ability::Ability;
use crate::scene::Scene;
use crate::settings::plain;

cases![
    fifty_commands_run_concurrently_on_one_link: SecondSession | Alone,
    a_link_is_disconnected_twice_without_error,
    two_links_do_not_know_each_other: SecondSession,
    the_target_has_what_the_fixture_says,
];

async fn fifty_commands_run_concurrently_on_one_link(scene: &Scene) -> anyhow::Result<()> {
    let runs = (0..50).map(async |number: i32| {
        let arguments = plain().with_stdin(format!("input {number}").into_bytes());
        let line = format!("sleep 0.2; cat; echo; echo e{number} >&2; exit {number}");
        let output = scene.run_with(line, &arguments).await?;
        ensure!(output.exit_code() == Some(number), "{number}: {:?}", output.status());
        ensure!(output.stdout_lines() == [format!("input {number}")], "{number}");
        ensure!(output.stderr_lines() == [format!("e{number}")], "{number}");
        Ok(())
    });
    try_join_all(runs).await.map(|_| ())
}

async fn a_link_is_disconnected_twice_without_error(scene: &Scene) -> anyhow::Result<()> {
    let link = scene.another_link().await?;
    link.run_shell_command("true", &plain()).await?.check()?;
    link.disconnect().await?;
    link.disconnect().await?;
    Ok(())
}

async fn two_links_do_not_know_each_other(scene: &Scene) -> anyhow::Result<()> {
    scene.another_link().await?.disconnect().await?;
    ensure!(scene.run("echo still here").await?.stdout() == b"still here\n");
    Ok(())
}

async fn the_target_has_what_the_fixture_says(scene: &Scene) -> anyhow::Result<()> {
    let tar = scene.run("command -v tar").await?.success();
    ensure!(tar == scene.has(Ability::Tar), "tar is there: {tar}");
    Ok(())
}
