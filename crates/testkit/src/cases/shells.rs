//! Shells other than `sh`.

use anyhow::ensure;
use hostlink_core::{Secret, StringCommand};

use crate::scene::Scene;
use crate::settings::plain;

cases![
    another_shell_reads_the_command: Bash,
    another_shell_gets_flags: Bash,
    another_shell_reads_a_long_or_secret_command_and_its_stdin_follows: Bash,
];

async fn another_shell_reads_the_command(scene: &Scene) -> anyhow::Result<()> {
    let arguments = plain().with_shell_executable("bash").with_stdin("input");
    let line = "a=(one 'two words'); echo \"${a[1]} ${BASH_VERSION:+bash}\"; cat; exit 7";
    let output = scene.run_with(line, &arguments).await?;
    ensure!(output.stdout() == b"two words bash\ninput", "{:?}", output.stderr_lines());
    ensure!(output.exit_code() == Some(7));
    Ok(())
}

async fn another_shell_gets_flags(scene: &Scene) -> anyhow::Result<()> {
    let arguments = plain().with_shell_executable("bash -eu");
    let output = scene.run_with("echo a; false; echo b", &arguments).await?;
    ensure!(output.stdout() == b"a\n" && output.exit_code() == Some(1));
    Ok(())
}

async fn another_shell_reads_a_long_or_secret_command_and_its_stdin_follows(
    scene: &Scene,
) -> anyhow::Result<()> {
    let end = "echo ${BASH_VERSION:+bash} ${#a}; cat; exit 7";
    let word = "it's ".repeat(60_000);
    let long = StringCommand::with_separator("").raw("a=").arg(&word).raw(";").raw(end);
    let secret = StringCommand::with_separator("").raw("a=").secret("hunter2").raw(";").raw(end);
    let arguments = plain().with_shell_executable("bash").with_stdin("input");
    for (command, length) in [(long, word.len()), (secret, 7)] {
        let output = scene.run_with(command, &arguments).await?;
        let wanted = format!("bash {length}\ninput");
        ensure!(output.stdout() == wanted.as_bytes(), "{length}: {:?}", output.combined_lines());
        ensure!(output.exit_code() == Some(7), "{length}: {:?}", output.status());
    }
    let variable = arguments.with_env_var("a", Secret::from("hunter2"));
    let output = scene.run_with(end, &variable).await?;
    ensure!(output.stdout() == b"bash 7\ninput", "{:?}", output.combined_lines());
    Ok(())
}
