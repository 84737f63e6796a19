//! Commands that run into their timeout, on machines that may be busy.

use std::time::Duration;

use anyhow::{bail, ensure};
use hostlink_core::{ConnectorArguments, Error, ErrorKind, RunOptions};

use crate::scene::Scene;

/// The line that a command prints once it has started all its processes.
const STARTED: &str = "started";

/// The timeouts to try, in seconds.
const TRIED: [u64; 5] = [1, 2, 4, 8, 16];

/// Returns a line of shell by which a command for [`time_out`] reports that it has started all its
/// processes.
pub(crate) fn announce(scene: &Scene) -> String {
    format!("echo >{}", scene.path(STARTED))
}

/// Runs a command into its timeout, and returns the error.
///
/// On a busy machine a short timeout may expire before the command has started. So longer ones are
/// tried until the command reports that it has started. The error must be right for every timeout.
pub(crate) async fn time_out(
    scene: &Scene,
    line: String,
    arguments: &ConnectorArguments,
) -> anyhow::Result<Error> {
    time_out_with(scene, line, arguments, &RunOptions::default()).await
}

/// Runs a command into its timeout, with options.
pub(crate) async fn time_out_with(
    scene: &Scene,
    line: String,
    arguments: &ConnectorArguments,
    options: &RunOptions,
) -> anyhow::Result<Error> {
    for seconds in TRIED {
        let arguments = arguments.clone().with_timeout(Duration::from_secs(seconds));
        let run = scene.link.run_shell_command_with(&line, &arguments, options).await;
        let Err(error) = run else { bail!("it was not killed") };
        ensure!(error.kind() == ErrorKind::Timeout, "{error:?}");
        if scene.holds(&format!("[ -e {STARTED} ]")).await? {
            return Ok(error);
        }
    }
    bail!("the command has not started within {TRIED:?} s")
}
