//! Rules about file names.

use std::collections::BTreeSet;
use std::path::Path;

use super::source::{Finding, Source};

/// Names that exclude nothing, and therefore attract everything.
const VAGUE: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];

/// Reports files and folders whose name could hold anything.
pub(crate) fn vague_names(source: &Source) -> Vec<Finding> {
    let stems = source.path.split('/').filter_map(|it| Path::new(it).file_stem()?.to_str());
    let vague = stems.filter(|stem| VAGUE.contains(stem));
    vague
        .map(|stem| source.finding(1, format!("`{stem}` does not say what is inside; name it")))
        .collect()
}

/// Every crate in `crates/` has a README, except the one that is only for tests.
pub(crate) fn missing_readmes(sources: &[Source]) -> Vec<Finding> {
    let paths: BTreeSet<&str> = sources.iter().map(|it| it.path.as_str()).collect();
    let has_no_readme = |manifest: &&Source| {
        let folder = manifest.path.strip_suffix("Cargo.toml").unwrap_or_default();
        !paths.contains(format!("{folder}README.md").as_str())
    };
    let crates = sources.iter().filter(|it| is_crate_manifest(&it.path) && !it.is_test());
    crates.filter(has_no_readme).map(|it| it.finding(1, "the crate has no README.md")).collect()
}

fn is_crate_manifest(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], ["crates", _, "Cargo.toml"])
}

#[cfg(test)]
mod tests {
    use super::super::source::lines_found;
    use super::*;

    #[test]
    fn vague_names_are_found() {
        for path in ["crates/core/src/utils.rs", "common/mod.rs", "helpers", "a/manager.tar.gz.rs"]
        {
            let found = lines_found(vague_names, path, "");
            assert_eq!(found.is_empty(), path.ends_with("gz.rs"), "{path}");
        }
        assert!(lines_found(vague_names, "src/uncommon.rs", "").is_empty());
    }

    #[test]
    fn a_crate_without_a_readme_is_found() {
        let manifest = || Source::new("crates/core/Cargo.toml", "");
        let found = missing_readmes(&[manifest()]);
        assert_eq!(found[0].to_string(), "crates/core/Cargo.toml:1: the crate has no README.md");
        assert!(
            missing_readmes(&[manifest(), Source::new("crates/core/README.md", "")]).is_empty()
        );
    }

    #[test]
    fn crates_for_tests_need_no_readme() {
        let manifests = ["tests/Cargo.toml", "crates/testkit/Cargo.toml", "xtask/Cargo.toml"];
        let manifests = manifests.map(|path| Source::new(path, ""));
        assert!(missing_readmes(&manifests).is_empty());
    }
}
