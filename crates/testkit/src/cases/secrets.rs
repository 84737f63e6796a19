//! The places where secrets may appear, and those where they may not.

use anyhow::ensure;
use hostlink_core::{Error, RunOptions, Secret, StringCommand};

use crate::random;
use crate::scene::Scene;
use crate::settings::plain;
use crate::watch::{here_with_argument, until};

cases![
    a_secret_variable_is_in_the_environment_of_its_command_alone: SecondSession,
    a_secret_argument_is_in_the_arguments_of_its_program_alone: SecondSession,
    secrets_are_not_shown_by_anything_that_can_be_printed,
];

async fn a_secret_variable_is_in_the_environment_of_its_command_alone(
    scene: &Scene,
) -> anyhow::Result<()> {
    let secret = random::word();
    let arguments = plain().with_env_var("HL_SECRET", Secret::new(&*secret));
    // The shell stays alive: one that replaces itself by its command would take its arguments
    // along.
    let line = format!("echo $$ >{}; (exec sleep 600); :", scene.path("pid"));
    let check = async {
        let pid = scene.wait_for_pid("pid").await?;
        until("the command shows its environment", || async {
            Ok(!scene.with_environment(&secret).await?.is_empty())
        })
        .await?;
        let holders = scene.with_environment(&secret).await?;
        let [holder] = holders[..] else { anyhow::bail!("in the environment of {holders:?}") };
        let parent = scene.sh_text(&format!("grep PPid: /proc/{holder}/status")).await?;
        ensure!(
            parent.ends_with(&format!("\t{pid}")),
            "{holder} is not a child of {pid}: {parent}"
        );
        expect_nowhere_in_arguments(scene, &secret).await
    };
    tokio::select! {
        ended = scene.run_with(line, &arguments) => anyhow::bail!("it ended: {ended:?}"),
        checked = check => checked?,
    }
    expect_search_to_work(scene).await
}

async fn a_secret_argument_is_in_the_arguments_of_its_program_alone(
    scene: &Scene,
) -> anyhow::Result<()> {
    let secret = random::word();
    let program = format!("echo $$ >{}; sleep 600; :", scene.path("pid"));
    let command = StringCommand::from_words(["sh", "-c", &program, "name"]).secret(&*secret);
    let check = async {
        let pid = scene.wait_for_pid("pid").await?;
        let holders = scene.with_argument(&secret).await?;
        ensure!(holders == [pid], "in the arguments of {holders:?}, not only of {pid}");
        ensure!(scene.with_environment(&secret).await?.is_empty(), "in an environment");
        Ok(())
    };
    tokio::select! {
        ended = scene.run(command) => anyhow::bail!("it ended: {ended:?}"),
        checked = check => checked,
    }
}

async fn expect_nowhere_in_arguments(scene: &Scene, secret: &str) -> anyhow::Result<()> {
    let there = scene.with_argument(secret).await?;
    ensure!(there.is_empty(), "in the arguments of {there:?}");
    let here = here_with_argument(secret)?;
    ensure!(here.is_empty(), "in the arguments of {here:?} of this machine");
    Ok(())
}

/// A search that finds nothing may search the wrong place. This one must find something.
async fn expect_search_to_work(scene: &Scene) -> anyhow::Result<()> {
    let word = random::word();
    let (argument, variable) = (format!("a{word}"), format!("e{word}"));
    let line = format!("E={variable} sh -c 'sleep 600; :' name {argument}; :");
    let found = async {
        until("planted words are found", || async {
            Ok(!scene.with_argument(&argument).await?.is_empty()
                && !scene.with_environment(&variable).await?.is_empty())
        })
        .await
    };
    tokio::select! {
        ended = scene.run(line) => anyhow::bail!("it ended: {ended:?}"),
        found = found => found,
    }
}

async fn secrets_are_not_shown_by_anything_that_can_be_printed(
    scene: &Scene,
) -> anyhow::Result<()> {
    let secret = random::word();
    let command = StringCommand::shell("exit 3 #").secret(&*secret);
    let arguments = plain().with_env_var("HL_SECRET", Secret::new(&*secret)).with_stdin(&*secret);
    let options = RunOptions::default().with_printing(true, true);
    let output = scene.link.run_shell_command_with(&command, &arguments, &options).await?;
    let limited = arguments.clone().with_timeout(std::time::Duration::from_millis(200));
    let slow = StringCommand::shell("sleep 60 #").secret(&*secret);
    let timeout = scene.link.run_shell_command_with(&slow, &limited, &options).await;
    let bad = scene.run_with(command.clone(), &arguments.clone().with_env_var("A-B", "x")).await;
    let mut shown = vec![
        format!("{command} {command:?} {arguments:?} {output:?} {:?}", scene.link),
        format!("{:?}", scene.recorder.all_events()),
    ];
    shown.extend([output.check(), timeout, bad].into_iter().map(|result| match result {
        Ok(_) => "a success where a failure was expected".to_owned(),
        Err(error) => all_of(&error),
    }));
    for text in shown {
        ensure!(!text.contains("a success"), "{text}");
        ensure!(!text.contains(&secret), "{}", text.replace(&secret, "SECRET"));
    }
    Ok(())
}

fn all_of(error: &Error) -> String {
    format!("{error} {error:?} {:?}", error.output())
}
