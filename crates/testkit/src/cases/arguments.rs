//! The words of a command.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use anyhow::ensure;
use hostlink_core::{ErrorKind, StringCommand};

use crate::scene::Scene;
use crate::settings::plain;

cases![
    words_of_any_characters_arrive_intact,
    words_that_are_not_utf_8_arrive_intact,
    a_nul_byte_in_a_command_is_refused,
    a_shell_line_is_left_to_the_shell,
];

/// Words with characters that are special in one shell or another.
pub(super) const ODD: [&str; 24] = [
    "",
    " ",
    "two words",
    "it's",
    "\"quoted\"",
    "'",
    "''",
    "a\nb",
    "\n",
    "a\tb",
    "$HOME",
    "${x}",
    "$(id)",
    "`id`",
    "*",
    "?[a-z]",
    "-n",
    "--",
    "~",
    "a\\b",
    "\\",
    "!history",
    "#no comment",
    "ünï €",
];

async fn words_of_any_characters_arrive_intact(scene: &Scene) -> anyhow::Result<()> {
    expect_words(scene, &ODD.map(OsString::from)).await?;
    let every: String = (1..128_u8).map(char::from).collect();
    expect_words(scene, &[every.into()]).await
}

async fn words_that_are_not_utf_8_arrive_intact(scene: &Scene) -> anyhow::Result<()> {
    let every: Vec<u8> = (1..=255).collect();
    expect_words(
        scene,
        &[OsStr::from_bytes(b"a\xffb\xc3").into(), OsStr::from_bytes(&every).into()],
    )
    .await
}

async fn expect_words(scene: &Scene, words: &[OsString]) -> anyhow::Result<()> {
    let command = StringCommand::from_words(["printf", "%s\\0"]);
    let command = words.iter().fold(command, StringCommand::arg);
    let output = scene.run(command).await?.check()?;
    let wanted: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
    let found = String::from_utf8_lossy(&output.stdout()).into_owned();
    ensure!(output.stdout() == wanted, "{words:?} arrived as {found:?}");
    Ok(())
}

async fn a_nul_byte_in_a_command_is_refused(scene: &Scene) -> anyhow::Result<()> {
    let command = StringCommand::from_words(["touch", &scene.path("ran"), "a\0b"]);
    let Err(error) = scene.run(command).await else { anyhow::bail!("it was not refused") };
    ensure!(error.kind() == ErrorKind::Data && error.to_string().contains("NUL"), "{error}");
    ensure!(!scene.holds("[ -e ran ]").await?, "the command ran");
    scene.run(StringCommand::from_words(["touch", &scene.path("ran"), &scene.path("b")])).await?;
    ensure!(scene.holds("[ -e ran ]").await?, "the command leaves no trace when it runs");
    Ok(())
}

async fn a_shell_line_is_left_to_the_shell(scene: &Scene) -> anyhow::Result<()> {
    let line =
        "for x in b a; do echo \"$x\"; done | sort | while read -r x; do printf %s \"$x\"; done";
    let output = scene.run_with(line, &plain()).await?;
    ensure!(output.stdout() == b"ab");
    let end = scene.run("echo a # a comment").await?;
    ensure!(end.stdout() == b"a\n" && end.success());
    let document = scene.run("cat <<X\n$((1+1))\nX").await?;
    ensure!(document.stdout() == b"2\n", "{:?}", document.stdout_lines());
    Ok(())
}
