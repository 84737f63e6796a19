//! Rules about `Cargo.toml`.

use super::source::{Finding, Source};

/// Two statements of a version differ one day: only the root of a workspace states versions.
pub(crate) fn own_versions(source: &Source) -> Vec<Finding> {
    if !source.path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let mut section = "";
    let mut section_line = 0;
    let mut found = Vec::new();
    for (number, line) in source.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            section_line = number;
        } else if let Some(name) = own_dependency(section, line) {
            let number = if is_table(section) { section_line } else { number };
            found.push(source.finding(number, message(name)));
        }
    }
    found
}

fn message(name: &str) -> String {
    format!("`{name}` must be declared in the workspace manifest and used by `workspace = true`")
}

/// Returns the dependency that `line` of `section` declares without the workspace.
fn own_dependency<'a>(section: &'a str, line: &'a str) -> Option<&'a str> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    if is_table(section) {
        let name = section.rsplit('.').next()?;
        return matches!(key, "version" | "path" | "git").then_some(name);
    }
    let is_entry = is_list(section) && !line.starts_with([' ', '\t', '#']);
    let inherits = key.ends_with(".workspace") || inherits_inline(value);
    (is_entry && !inherits).then_some(key)
}

fn inherits_inline(value: &str) -> bool {
    let fields = value.trim().trim_matches(['{', '}']).split(',');
    fields.map(|it| it.replace(' ', "")).any(|it| it == "workspace=true")
}

/// Matches `[dependencies]`, `[dev-dependencies]`, `[target.'…'.build-dependencies]` …
fn is_list(section: &str) -> bool {
    // The root of a workspace states versions; the fuzz targets have their own.
    section != "workspace.dependencies"
        && section.rsplit('.').next().is_some_and(|it| it.ends_with("dependencies"))
}

/// Matches `[dependencies.name]`, and so on.
fn is_table(section: &str) -> bool {
    section.rsplit_once('.').is_some_and(|(list, _)| is_list(list)) && !is_list(section)
}

#[cfg(test)]
mod tests {
    use super::super::source::lines_found;
    use super::*;

    const GOOD: &str = r#"[package]
name = "x"
version = "1.0.0"
[dependencies]
# a = "1"
a.workspace = true
b = { workspace = true, features = [
    "key=value",
] }
c = { features = ["x"], workspace = true }
[dev-dependencies.d]
workspace = true
features = ["version"]
[features]
default = ["b"]
"#;

    #[test]
    fn a_version_of_its_own_is_found() {
        let bad = r#"[dependencies]
a = "1"
b = { version = "1" }
c = { path = "../workspace=true" }
[target.'cfg(unix)'.build-dependencies]
d = { git = "https://example.org/d" }
[dev-dependencies.e]
version = "1"
"#;
        assert_eq!(lines_found(own_versions, "crates/x/Cargo.toml", bad), [2, 3, 4, 6, 7]);
    }

    #[test]
    fn inherited_dependencies_are_fine() {
        assert!(lines_found(own_versions, "crates/x/Cargo.toml", GOOD).is_empty());
    }

    #[test]
    fn the_workspace_manifest_states_versions() {
        let text = "[workspace.dependencies]\na = \"1\"\n[dependencies]\nb = \"1\"\n";
        assert!(lines_found(own_versions, "Cargo.toml", text).is_empty());
        assert_eq!(lines_found(own_versions, "fuzz/Cargo.toml", text), [4]);
    }
}
