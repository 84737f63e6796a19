//! `cargo xtask features`: a feature that compiles only together with another one is broken.

use anyhow::Context;
use serde_json::Value;
use xshell::{Shell, cmd};

/// The crate whose features users choose. Those of the command are passed on to it, and are checked
/// only without and with all.
const FACADE: &str = "hostlink";
const COMMAND: &str = "hostlink-cli";

/// Checks the facade without features, with each one alone, with the default ones and with all.
///
/// # Errors
///
/// If `cargo metadata` does not know a package, or a combination does not compile.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    let metadata = serde_json::from_str(&metadata).context("cannot read `cargo metadata`")?;
    let features = features_of(&metadata, FACADE);
    let features = features.with_context(|| format!("the workspace has no package {FACADE}"))?;
    for selection in selections(&features) {
        cmd!(sh, "cargo check --package {FACADE} {selection...}").run()?;
    }
    for selection in selections(&[]) {
        cmd!(sh, "cargo check --package {COMMAND} {selection...}").run()?;
    }
    Ok(())
}

/// The features that the manifest of `package` declares, except `default`.
fn features_of(metadata: &Value, package: &str) -> Option<Vec<String>> {
    let packages = metadata["packages"].as_array()?;
    let found = packages.iter().find(|it| it["name"] == package)?;
    let names = found["features"].as_object()?.keys();
    Some(names.filter(|name| *name != "default").cloned().collect())
}

/// The arguments of each `cargo check`.
fn selections(features: &[String]) -> Vec<Vec<&str>> {
    let alone = features.iter().map(|it| vec!["--no-default-features", "--features", it]);
    let mut selections = vec![vec!["--no-default-features"]];
    selections.extend(alone);
    selections.extend([vec![], vec!["--all-features"]]);
    selections
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn features_are_read_from_the_metadata() {
        let metadata = json!({"packages": [
            {"name": "other", "features": {"x": []}},
            {"name": "hostlink", "features": {"default": ["local"], "local": [], "ssh": []}},
        ]});
        assert_eq!(features_of(&metadata, "hostlink").unwrap(), ["local", "ssh"]);
        assert_eq!(features_of(&metadata, "absent"), None);
    }

    #[test]
    fn every_feature_is_tried_alone() {
        let features = ["local".to_owned(), "ssh".to_owned()];
        let expected: [&[&str]; 5] = [
            &["--no-default-features"],
            &["--no-default-features", "--features", "local"],
            &["--no-default-features", "--features", "ssh"],
            &[],
            &["--all-features"],
        ];
        assert_eq!(selections(&features), expected);
    }
}
