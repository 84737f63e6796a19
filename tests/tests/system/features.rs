//! A program that needs one connector is built with that one alone.

use std::process::Command;

/// Returns the names of the packages that `package` is built from.
fn tree(package: &str, flags: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", package])
        .args(flags)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn of_hostlink(packages: &[String]) -> Vec<&str> {
    let mut ours: Vec<&str> =
        packages.iter().map(String::as_str).filter(|name| name.starts_with("hostlink")).collect();
    ours.sort_unstable();
    ours.dedup();
    ours
}

#[test]
fn a_consumer_of_one_connector_builds_nothing_of_the_others() {
    let packages = tree("hostlink-consumer", &[]);
    assert_eq!(of_hostlink(&packages), ["hostlink-consumer", "hostlink-core", "hostlink-local"]);
}

#[test]
fn the_facade_without_features_has_no_connector() {
    assert_eq!(
        of_hostlink(&tree("hostlink", &["--no-default-features"])),
        ["hostlink", "hostlink-core"]
    );
    // The control: with its default features it has them all.
    assert!(of_hostlink(&tree("hostlink", &[])).contains(&"hostlink-local"));
}

#[test]
fn core_knows_neither_processes_nor_the_network() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "features", "--package", "hostlink-core"])
        .args(["--format", "{p} {f}", "--prefix", "none", "--edges", "normal"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let tokio = text.lines().find(|line| line.starts_with("tokio v")).unwrap();
    for feature in ["process", "net", "full"] {
        assert!(!tokio.split([' ', ',']).any(|word| word == feature), "{tokio}");
    }
    assert!(tokio.contains("io-util"), "the control: features are listed: {tokio}");
}

#[test]
fn the_command_has_every_feature_of_the_library() {
    let features = |package: &str| -> Vec<String> {
        let path = format!("{}/../crates/{package}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(path).unwrap();
        let table = manifest.split("\n[").find_map(|table| table.strip_prefix("features]"));
        let lines = table.unwrap().lines().filter_map(|line| line.split_once(" = ["));
        let mut names: Vec<String> = lines.map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    };
    let of_library = features("hostlink");
    assert!(of_library.contains(&"inventory".to_owned()), "the control: {of_library:?}");
    assert_eq!(features("cli"), of_library);
}
