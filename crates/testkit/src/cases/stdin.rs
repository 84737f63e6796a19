//! The input of a command.

use anyhow::ensure;
use hostlink_core::{ErrorKind, Stdin, StringCommand};

use crate::random;
use crate::scene::Scene;
use crate::settings::plain;

cases![
    a_mebibyte_of_stdin_comes_back_unchanged,
    input_and_output_flow_at_the_same_time,
    stdin_is_empty_unless_it_is_given,
    every_kind_of_stdin_arrives,
    a_stdin_file_that_is_missing_starts_nothing,
    a_command_may_leave_its_stdin_unread: UnreadInput,
    a_command_of_a_mebibyte_runs_and_its_stdin_follows,
];

async fn a_mebibyte_of_stdin_comes_back_unchanged(scene: &Scene) -> anyhow::Result<()> {
    let bytes = random::bytes(1024 * 1024);
    let output = scene.run_with("cat", &plain().with_stdin(bytes.clone())).await?;
    ensure!(output.stdout() == bytes, "{} bytes came back", output.stdout().len());
    Ok(())
}

async fn input_and_output_flow_at_the_same_time(scene: &Scene) -> anyhow::Result<()> {
    let arguments = plain().with_stdin(random::bytes(1024 * 1024));
    // It writes everything before it reads anything, on both streams.
    let line = "head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2; wc -c";
    let output = scene.run_with(line, &arguments).await?.check()?;
    ensure!(output.stderr().len() == 1024 * 1024);
    ensure!(output.stdout()[1024 * 1024..].trim_ascii() == b"1048576");
    Ok(())
}

async fn stdin_is_empty_unless_it_is_given(scene: &Scene) -> anyhow::Result<()> {
    let output = scene.run("cat; echo end").await?;
    ensure!(output.stdout() == b"end\n");
    Ok(())
}

async fn every_kind_of_stdin_arrives(scene: &Scene) -> anyhow::Result<()> {
    let file = scene.file_here("input", b"from a file")?;
    for (stdin, wanted) in [
        (Stdin::from("text"), "text"),
        (Stdin::bytes(""), ""),
        (Stdin::lines(["a", "b c"]), "a\nb c\n"),
        (Stdin::file(&file), "from a file"),
        (Stdin::reader(&b"from a reader"[..]), "from a reader"),
    ] {
        let output = scene.run_with("cat", &plain().with_stdin(stdin)).await?;
        ensure!(output.stdout() == wanted.as_bytes(), "{wanted}");
    }
    Ok(())
}

async fn a_stdin_file_that_is_missing_starts_nothing(scene: &Scene) -> anyhow::Result<()> {
    let line = format!("echo ran >{}", scene.path("ran"));
    let arguments = plain().with_stdin(Stdin::file(scene.here("missing")));
    let result = scene.run_with(&*line, &arguments).await;
    let Err(error) = result else { anyhow::bail!("a missing file was read") };
    ensure!(error.kind() == ErrorKind::NotFound, "{error:?}");
    ensure!(!scene.holds("[ -e ran ]").await?, "the command ran");
    scene.run(&*line).await?;
    ensure!(scene.holds("[ -e ran ]").await?, "the command leaves no trace when it runs");
    Ok(())
}

async fn a_command_may_leave_its_stdin_unread(scene: &Scene) -> anyhow::Result<()> {
    let arguments = plain().with_stdin(random::bytes(8 * 1024 * 1024));
    let output = scene.run_with("true", &arguments).await?;
    ensure!(output.exit_code() == Some(0), "{:?}", output.status());
    let output = scene.run_with("head -c 10 | wc -c; exit 5", &arguments).await?;
    ensure!(output.exit_code() == Some(5) && output.stdout().trim_ascii() == b"10");
    Ok(())
}

async fn a_command_of_a_mebibyte_runs_and_its_stdin_follows(scene: &Scene) -> anyhow::Result<()> {
    // Each quote becomes several characters, which a shell reads one by one.
    let line = format!("{}'\n", "x".repeat(98));
    let word = format!("it's {}", line.repeat(1024 * 1024 / line.len()));
    let command =
        StringCommand::with_separator("").raw("hl=").arg(&word).raw("; echo ${#hl}; cat; exit 6");
    let output = scene.run_with(command, &plain().with_stdin("my own\nstdin")).await?;
    ensure!(output.exit_code() == Some(6), "{:?} {:?}", output.status(), output.stderr_lines());
    let wanted = format!("{}\nmy own\nstdin", word.len());
    ensure!(output.stdout() == wanted.as_bytes(), "{:?}", output.stdout_lines());
    Ok(())
}
