//! The exit status of a command.

use anyhow::ensure;
use futures::stream::{self, StreamExt, TryStreamExt};
use hostlink_core::{ErrorKind, ExitStatus};

use crate::scene::Scene;
use crate::settings::plain;

cases![
    exit_codes_0_to_255_arrive_unchanged: SecondSession,
    a_signal_is_reported_as_the_signal,
    a_signal_to_a_child_of_the_shell_is_a_code,
    a_missing_program_is_127_and_a_file_that_cannot_run_126,
    success_exit_codes_decide_what_is_a_success,
    a_failed_check_is_an_error_with_the_last_line_of_stderr,
];

async fn exit_codes_0_to_255_arrive_unchanged(scene: &Scene) -> anyhow::Result<()> {
    let exits = stream::iter(scene.sample(0..=255)).map(async |code: i32| {
        let output = scene.run(format!("exit {code}")).await?;
        let status = output.status();
        ensure!(status == Some(ExitStatus::Code(code)), "{code} arrived as {status:?}");
        ensure!(output.success() == (code == 0), "{code}");
        Ok(())
    });
    exits.buffer_unordered(8).try_collect().await
}

async fn a_signal_is_reported_as_the_signal(scene: &Scene) -> anyhow::Result<()> {
    for (name, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11)] {
        let output = scene.run(format!("kill -{name} $$; sleep 60")).await?;
        let wanted = scene.fixture().signals().status(number);
        ensure!(output.status() == Some(wanted), "{name} arrived as {:?}", output.status());
        ensure!(!output.success(), "{name} is no success");
    }
    Ok(())
}

async fn a_signal_to_a_child_of_the_shell_is_a_code(scene: &Scene) -> anyhow::Result<()> {
    let output = scene.run("sh -c 'kill -TERM $$; :'; exit $?").await?;
    ensure!(output.status() == Some(ExitStatus::Code(143)), "{:?}", output.status());
    Ok(())
}

async fn a_missing_program_is_127_and_a_file_that_cannot_run_126(
    scene: &Scene,
) -> anyhow::Result<()> {
    let missing = scene.run("hl-no-such-program").await?;
    ensure!(missing.exit_code() == Some(127), "{:?}", missing.status());
    ensure!(String::from_utf8_lossy(&missing.stderr()).contains("hl-no-such-program"));
    let path = scene.plant("text", b"no program").await?;
    let refused = scene.run(path).await?;
    ensure!(refused.exit_code() == Some(126), "{:?}", refused.status());
    Ok(())
}

async fn success_exit_codes_decide_what_is_a_success(scene: &Scene) -> anyhow::Result<()> {
    let arguments = plain().with_success_exit_codes(vec![0, 3]);
    for (code, success) in [(0, true), (3, true), (1, false)] {
        let output = scene.run_with(format!("exit {code}"), &arguments).await?;
        ensure!(output.success() == success && output.exit_code() == Some(code), "{code}");
    }
    let only_one = plain().with_success_exit_codes(vec![1]);
    ensure!(!scene.run_with("exit 0", &only_one).await?.success());
    Ok(())
}

async fn a_failed_check_is_an_error_with_the_last_line_of_stderr(
    scene: &Scene,
) -> anyhow::Result<()> {
    let output = scene.run("echo out; echo first >&2; echo last >&2; exit 4").await?;
    let Err(error) = output.check() else { anyhow::bail!("4 is no success") };
    ensure!(error.kind() == ErrorKind::ExitStatus, "{error:?}");
    ensure!(error.to_string().ends_with(": last"), "{error}");
    ensure!(error.output().is_some_and(|output| output.stdout() == b"out\n"));
    Ok(())
}
