//! The directory that a command runs in.

use anyhow::ensure;
use hostlink_core::StringCommand;

use crate::scene::Scene;
use crate::settings::plain;

cases![
    chdir_is_where_the_command_runs,
    chdir_accepts_odd_names,
    chdir_into_a_missing_directory_fails_and_runs_nothing,
];

async fn chdir_is_where_the_command_runs(scene: &Scene) -> anyhow::Result<()> {
    let wanted = scene.sh_text("pwd -P").await?;
    let output = scene.run_with("pwd -P", &plain().with_chdir(scene.directory())).await?;
    ensure!(output.stdout_lines() == [wanted], "{:?}", output.stdout_lines());
    let start = scene.run("pwd -P").await?;
    ensure!(start.stdout_lines() != output.stdout_lines(), "the next command is there too");
    Ok(())
}

async fn chdir_accepts_odd_names(scene: &Scene) -> anyhow::Result<()> {
    let start = scene.run("pwd -P").await?.stdout_lines().remove(0);
    let up = "../".repeat(start.matches('/').count());
    for name in scene.sample(["-dash", "with space", "it's", "$HOME", "new\nline", "*", "~"]) {
        let path = scene.path(name);
        let command = StringCommand::from_words(["mkdir", "--", &path]);
        scene.witness_run(command).await?;
        for directory in [path.clone(), format!("{up}{}", &path[1..]), format!("{path}/")] {
            let arguments = plain().with_chdir(&*directory);
            let output = scene.run_with("pwd; echo x >here", &arguments).await?.check()?;
            ensure!(output.stdout().ends_with(format!("/{name}\n").as_bytes()), "{directory:?}");
        }
        scene.expect_content(&format!("{path}/here"), b"x\n").await?;
    }
    Ok(())
}

async fn chdir_into_a_missing_directory_fails_and_runs_nothing(
    scene: &Scene,
) -> anyhow::Result<()> {
    let line = format!("echo ran >{}", scene.path("ran"));
    let arguments = plain().with_chdir(scene.path("missing"));
    let output = scene.run_with(&*line, &arguments).await?;
    ensure!(!output.success() && output.exit_code().is_some(), "{:?}", output.status());
    let stderr = String::from_utf8_lossy(&output.stderr()).into_owned();
    ensure!(stderr.contains(&scene.path("missing")), "{stderr}");
    ensure!(!scene.holds("[ -e ran ]").await?, "the command ran");
    scene.run_with(&*line, &plain().with_chdir(scene.directory())).await?;
    ensure!(scene.holds("[ -e ran ]").await?, "the command leaves no trace when it runs");
    Ok(())
}
