//! The environment of a command.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use anyhow::ensure;
use hostlink_core::{EnvValue, ErrorKind, SECRET_VARIABLES, Secret};

use super::arguments::ODD;
use crate::scene::Scene;
use crate::settings::plain;

cases![
    variables_of_any_characters_arrive_intact,
    secret_variables_arrive_and_stdin_follows: Printenv,
    an_invalid_variable_name_is_refused_and_nothing_is_started,
    a_variable_ends_with_its_command,
    no_child_inherits_the_secrets_of_hostlink,
];

async fn variables_of_any_characters_arrive_intact(scene: &Scene) -> anyhow::Result<()> {
    let bytes = OsStr::from_bytes(b"a\xff\nb");
    let values = ODD.iter().map(OsStr::new).chain([bytes]);
    let mut arguments = plain();
    let mut wanted = Vec::new();
    for (number, value) in values.enumerate() {
        arguments = arguments.with_env_var(format!("HL_{number}"), EnvValue::Plain(value.into()));
        wanted.extend_from_slice(&[value.as_bytes(), b"\0"].concat());
    }
    let words: String = (0..=ODD.len()).map(|number| format!(" \"$HL_{number}\"")).collect();
    // A second shell sees only variables that are exported.
    let line = format!("sh -c 'printf \"%s\\0\" {words}'");
    let output = scene.run_with(line, &arguments).await?.check()?;
    ensure!(output.stdout() == wanted, "{:?}", String::from_utf8_lossy(&output.stdout()));
    Ok(())
}

async fn secret_variables_arrive_and_stdin_follows(scene: &Scene) -> anyhow::Result<()> {
    for value in ["hunter2", "it's\n$HOME `x` \\ \"", ""] {
        let arguments = plain().with_env_var("HL_SECRET", Secret::from(value)).with_stdin("input");
        let output = scene.run_with("printenv HL_SECRET; cat", &arguments).await?;
        ensure!(output.stdout() == format!("{value}\ninput").as_bytes(), "{value:?}");
    }
    Ok(())
}

async fn an_invalid_variable_name_is_refused_and_nothing_is_started(
    scene: &Scene,
) -> anyhow::Result<()> {
    let line = format!("echo ran >{}", scene.path("ran"));
    for name in ["", "1A", "A-B", "A B", "A=B", "A;id", "Ä"] {
        let result = scene.run_with(&*line, &plain().with_env_var(name, "x")).await;
        let Err(error) = result else { anyhow::bail!("{name:?} was accepted") };
        ensure!(error.kind() == ErrorKind::Data, "{name:?}: {error:?}");
        ensure!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    ensure!(!scene.holds("[ -e ran ]").await?, "the command ran");
    scene.run_with(&*line, &plain().with_env_var("_A1", "x")).await?;
    ensure!(scene.holds("[ -e ran ]").await?, "the command leaves no trace when it runs");
    Ok(())
}

async fn a_variable_ends_with_its_command(scene: &Scene) -> anyhow::Result<()> {
    let line = "echo \"[$HL_ONCE]\"";
    let set = scene.run_with(line, &plain().with_env_var("HL_ONCE", "x")).await?;
    ensure!(set.stdout() == b"[x]\n");
    ensure!(scene.run(line).await?.stdout() == b"[]\n");
    Ok(())
}

/// The suite's own environment has none of the secrets, so searching for their names is enough.
async fn no_child_inherits_the_secrets_of_hostlink(scene: &Scene) -> anyhow::Result<()> {
    let variables = scene.run("env").await?.stdout_lines();
    let found = |name: &str| variables.iter().any(|line| line.starts_with(&format!("{name}=")));
    for name in SECRET_VARIABLES {
        ensure!(!found(name), "{name} was inherited");
    }
    ensure!(found("PATH"), "the search does not see the environment");
    let leaks = scene.run("env | grep -c '_hl_'").await?;
    ensure!(leaks.stdout().trim_ascii() == b"0", "variables of the script are exported");
    Ok(())
}
