//! Commands that are ended by their time-out, on machines that may be busy.

use std::time::Duration;

use anyhow::{bail, ensure};
use hostlink_core::{ConnectorArguments, Error, ErrorKind, RunOptions};

use crate::scene::Scene;

/// What a command writes once it has started all that it starts.
const STARTED: &str = "started";

/// The time-outs that are tried, in seconds.
const TRIED: [u64; 5] = [1, 2, 4, 8, 16];

/// A line of shell by which a command for [`time_out`] says that it has started all that it starts.
pub(crate) fn say(scene: &Scene) -> String {
    format!("echo >{}", scene.path(STARTED))
}

/// Has a command ended by its time-out, and returns the error.
///
/// A busy machine may not start the command before a short time-out is over. So a longer one is
/// tried until the command has said that it has started; whatever the length, the error has to be
/// right.
pub(crate) async fn time_out(
    scene: &Scene,
    line: String,
    arguments: &ConnectorArguments,
) -> anyhow::Result<Error> {
    time_out_with(scene, line, arguments, &RunOptions::default()).await
}

/// As [`time_out`], with options.
pub(crate) async fn time_out_with(
    scene: &Scene,
    line: String,
    arguments: &ConnectorArguments,
    options: &RunOptions,
) -> anyhow::Result<Error> {
    let command = line.into();
    for seconds in TRIED {
        let arguments = arguments.clone().with_timeout(Duration::from_secs(seconds));
        let run = scene.link.run_shell_command_with(&command, &arguments, options).await;
        let Err(error) = run else { bail!("it was not ended") };
        ensure!(error.kind() == ErrorKind::Timeout, "{error:?}");
        if scene.holds(&format!("[ -e {STARTED} ]")).await? {
            return Ok(error);
        }
    }
    bail!("the command has not started within {TRIED:?} s")
}
