//! Commands on a terminal.

use std::time::Duration;

use anyhow::ensure;
use hostlink_core::{ErrorKind, Stdin, StringCommand};

use crate::random;
use crate::scene::Scene;
use crate::settings::plain;
use crate::time_out::{announce, time_out};

cases![
    get_pty_gives_a_controlling_terminal: Terminal,
    a_terminal_merges_both_streams: Terminal,
    a_command_on_a_terminal_reads_its_stdin_to_the_end: Terminal | LongTerminalInput,
    stdin_on_a_terminal_ends_without_a_newline: Terminal,
    a_command_on_a_terminal_may_leave_its_stdin_unread: Terminal | UnreadInput,
    exit_codes_arrive_from_a_terminal: Terminal,
    without_get_pty_there_is_no_terminal,
    timeout_on_a_terminal_leaves_no_process_behind: Terminal | SecondSession,
    a_long_command_on_a_terminal_is_refused_and_nothing_is_started,
    a_secret_on_a_terminal_is_refused_and_nothing_is_started,
];

async fn get_pty_gives_a_controlling_terminal(scene: &Scene) -> anyhow::Result<()> {
    let line = "test -t 0 && test -t 1 && test -t 2 && echo x >/dev/tty";
    let output = scene.run_with(line, &plain().with_get_pty(true)).await?;
    ensure!(output.success(), "{:?}", output.combined_lines());
    ensure!(output.stdout_lines() == ["x"], "{:?}", output.stdout_lines());
    Ok(())
}

async fn a_terminal_merges_both_streams(scene: &Scene) -> anyhow::Result<()> {
    let line = "echo out; echo err >&2; echo end";
    let output = scene.run_with(line, &plain().with_get_pty(true)).await?;
    ensure!(output.stdout_lines() == ["out", "err", "end"], "{:?}", output.stdout_lines());
    ensure!(output.stderr().is_empty());
    Ok(())
}

async fn a_command_on_a_terminal_reads_its_stdin_to_the_end(scene: &Scene) -> anyhow::Result<()> {
    let mut bytes = random::bytes(1024 * 1024);
    // Every byte that is special to a terminal, also in a row.
    bytes.extend(0..=255);
    let file = scene.file_here("input", &bytes)?;
    // Also with unknown length.
    let reader = Stdin::reader(std::io::Cursor::new(bytes.clone()));
    for stdin in [Stdin::bytes(bytes.clone()), Stdin::file(file), reader] {
        let arguments = plain().with_get_pty(true).with_stdin(stdin);
        let output = scene.run_with("cat; exit 3", &arguments).await?;
        ensure!(output.exit_code() == Some(3), "{:?}", output.status());
        ensure!(output.stdout() == bytes, "{} bytes came back", output.stdout().len());
    }
    Ok(())
}

async fn stdin_on_a_terminal_ends_without_a_newline(scene: &Scene) -> anyhow::Result<()> {
    let long = random::bytes(20_000);
    for stdin in [&b"abc"[..], b"", b"\x04", b"abc\n", &long] {
        let arguments = plain().with_get_pty(true).with_stdin(stdin.to_vec());
        let arguments = arguments.with_timeout(Duration::from_secs(30));
        let output = scene.run_with("cat; echo; test -t 1 && echo end", &arguments).await?;
        let expected = [stdin, b"\nend\n"].concat();
        ensure!(output.stdout() == expected, "{:?}", output.stdout());
    }
    Ok(())
}

async fn a_command_on_a_terminal_may_leave_its_stdin_unread(scene: &Scene) -> anyhow::Result<()> {
    for length in [0, 1, 5000, 100_000, 3 * 1024 * 1024] {
        let arguments = plain().with_get_pty(true).with_stdin(random::bytes(length));
        let arguments = arguments.with_timeout(Duration::from_secs(30));
        let output = scene.run_with("echo over; exit 4", &arguments).await?;
        ensure!(output.exit_code() == Some(4), "{length}: {:?}", output.status());
        ensure!(output.stdout() == b"over\n", "{length}: {:?}", output.stdout());
    }
    Ok(())
}

async fn exit_codes_arrive_from_a_terminal(scene: &Scene) -> anyhow::Result<()> {
    for code in [0, 1, 126, 127, 255] {
        let output = scene.run_with(format!("exit {code}"), &plain().with_get_pty(true)).await?;
        ensure!(output.exit_code() == Some(code), "{code} arrived as {:?}", output.status());
    }
    Ok(())
}

async fn without_get_pty_there_is_no_terminal(scene: &Scene) -> anyhow::Result<()> {
    let line = "test -t 0 || test -t 1 || test -t 2 || (: </dev/tty) 2>/dev/null";
    ensure!(!scene.run(line).await?.success(), "there is a terminal");
    Ok(())
}

async fn timeout_on_a_terminal_leaves_no_process_behind(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    // A shell may replace itself by its last command.
    let line = format!("sleep {seconds} & {}; sleep {seconds}; :", announce(scene));
    time_out(scene, line, &plain().with_get_pty(true)).await?;
    scene.expect_gone(&seconds).await
}

async fn a_long_command_on_a_terminal_is_refused_and_nothing_is_started(
    scene: &Scene,
) -> anyhow::Result<()> {
    let command = touch(scene).arg("x".repeat(1024 * 1024));
    expect_refusal(scene, command).await
}

async fn a_secret_on_a_terminal_is_refused_and_nothing_is_started(
    scene: &Scene,
) -> anyhow::Result<()> {
    let command = touch(scene).secret("hunter2");
    expect_refusal(scene, command).await
}

/// Returns a command that creates a file, and takes one more word.
fn touch(scene: &Scene) -> StringCommand {
    StringCommand::shell("touch").arg(scene.path("ran")).raw("; :")
}

async fn expect_refusal(scene: &Scene, command: StringCommand) -> anyhow::Result<()> {
    let result = scene.run_with(command.clone(), &plain().with_get_pty(true)).await;
    let Err(error) = result else { anyhow::bail!("it was not refused") };
    ensure!(error.kind() == ErrorKind::Unsupported, "{error:?}");
    ensure!(error.to_string().contains("on a terminal"), "{error}");
    ensure!(!format!("{error:?}").contains("hunter2"), "the secret is shown");
    ensure!(!scene.holds("[ -e ran ]").await?, "the command ran");
    scene.run(command).await?.check()?;
    ensure!(scene.holds("[ -e ran ]").await?, "the command leaves no trace when it runs");
    Ok(())
}
