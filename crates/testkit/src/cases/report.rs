//! The events that the reporter receives.

use anyhow::ensure;
use hostlink_core::transfer::PutOptions;
use hostlink_core::{RunOptions, Secret, StringCommand};

use crate::scene::Scene;
use crate::settings::plain;

cases![
    nothing_is_reported_unless_it_is_asked_for,
    print_input_reports_the_command_with_secrets_masked,
    print_output_reports_each_line_once,
    transfers_are_reported_by_purpose,
];

async fn nothing_is_reported_unless_it_is_asked_for(scene: &Scene) -> anyhow::Result<()> {
    scene.run("echo a").await?;
    scene.link.put_file(b"x".to_vec(), &scene.path("f"), &PutOptions::default()).await?;
    let events = scene.recorder.events();
    ensure!(events.is_empty(), "{events:?}");
    Ok(())
}

async fn print_input_reports_the_command_with_secrets_masked(scene: &Scene) -> anyhow::Result<()> {
    let command = StringCommand::from_words(["echo", "it's"]).secret("hunter2").raw(">/dev/null");
    let arguments = plain().with_env_var("HL_SECRET", Secret::from("hunter2"));
    let options = RunOptions::default().with_printing(true, false);
    scene.link.run_shell_command_with(&command, &arguments, &options).await?.check()?;
    let events = scene.recorder.events();
    ensure!(events.len() == 1, "{events:?}");
    ensure!(events[0].starts_with(&format!("{}: input ", scene.link.name())), "{events:?}");
    ensure!(events[0].contains("***") && events[0].contains("echo"), "{events:?}");
    ensure!(!events[0].contains("hunter2"), "the secret is shown");
    ensure!(!events[0].contains("_hl_"), "the announcements are shown: {events:?}");
    Ok(())
}

async fn print_output_reports_each_line_once(scene: &Scene) -> anyhow::Result<()> {
    let options = RunOptions::default().with_printing(false, true);
    let command = "printf 'a\\nb\\n'; printf 'c' >&2".to_owned();
    scene.link.run_shell_command_with(&command, &plain(), &options).await?;
    let name = scene.link.name();
    let mut events = scene.recorder.events();
    let wanted = ["Stderr c", "Stdout a", "Stdout b"].map(|event| format!("{name}: {event}"));
    events.sort();
    ensure!(events == wanted, "{events:?}");
    Ok(())
}

async fn transfers_are_reported_by_purpose(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.path("f");
    let run = RunOptions::default().with_printing(true, true);
    let options = PutOptions { run, ..PutOptions::default() };
    scene.link.put_file(b"x".to_vec(), &path, &options).await?;
    let wanted = format!("{}: input put {path}", scene.link.name());
    let events = scene.recorder.events();
    ensure!(events == [wanted], "{events:?}");
    Ok(())
}
