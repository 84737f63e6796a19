//! sudo-rs, built from crates.io: not every release of Debian packages it.

use std::path::PathBuf;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::engine;

const VERSION: &str = "0.2.15";

/// Returns whether it is installed, in the version for the tests.
pub(crate) fn is_there(sh: &Shell) -> bool {
    root().join("bin/sudo").exists()
        && sh.read_file(version_file()).is_ok_and(|text| text == VERSION)
}

/// Builds it, which takes some 20 s. It is not setuid there: a test installs it in its target.
///
/// # Errors
///
/// If it cannot be downloaded or built.
pub(crate) fn build(sh: &Shell) -> anyhow::Result<()> {
    let root = root();
    cmd!(sh, "cargo install --quiet --locked --force --root {root} --version {VERSION} sudo-rs")
        .run()
        .context("cannot build sudo-rs")?;
    Ok(sh.write_file(version_file(), VERSION)?)
}

/// The tests have the same path.
fn root() -> PathBuf {
    engine::state_file("sudo-rs")
}

fn version_file() -> PathBuf {
    root().join("version")
}
