//! The table of every place where bytes of a target, a server, an engine, a program or a file are
//! gathered in memory, each with its bound and the test of it.

use std::fs;
use std::path::{Path, PathBuf};

/// The table.
const TABLE: &str = include_str!("places.txt");

/// A row: what is gathered, in which file below `crates`, what bounds it there, and its test.
type Place = (&'static str, &'static str, &'static str, &'static str);

fn places() -> Vec<Place> {
    let lines: Vec<&str> = TABLE.lines().collect();
    let rows = lines.windows(3).filter(|rows| !rows[0].starts_with(' '));
    let rows = rows.filter_map(|rows| match rows {
        [what, bound, test] if bound.starts_with("    ") => {
            let (file, bound) = bound.trim().split_once(": ")?;
            Some((*what, file, bound, test.trim()))
        }
        _ => None,
    });
    rows.collect()
}

/// What is gathered without a bound in bytes, in which file, and why.
const WITHOUT: &[(&str, &str, &str)] = &[
    (
        "output without a limit",
        "core/src/values/output.rs",
        "a program that sets no `output_limit` asks for all of it",
    ),
    (
        "the directories of a tree",
        "core/src/transfer/stage.rs",
        "an entry of some 200 bytes for each directory that was made here: the disk is full before",
    ),
    (
        "an answer of ssh's master to a check",
        "ssh/src/login.rs",
        "the package `openssh` trusts a master's lengths, which is ours or the user's own",
    ),
];

/// Calls that gather, by which their places are found. A call of `run_shell_command` has no limit
/// of output.
const GATHERS: [&str; 12] = [
    "read_to_end(",
    "read_to_string(",
    "fs::read(",
    "read_whole(",
    ".output().await",
    "wait_with_output(",
    "read_until(",
    "read_line(",
    ".collect().await",
    "try_collect()",
    ".run_shell_command(",
    "unbounded_channel()",
];

/// Files that gather nothing of others, and why.
const OTHERS: &[(&str, &str)] = &[
    ("cli/src/prompt.rs", "a line that the user types"),
    ("cli/src/tty.rs", "a line that the user types, in memory of a fixed size"),
    ("cli/src/stop.rs", "proc(5)"),
    ("docker/src/container/owner.rs", "proc(5), and the identity of this machine"),
    ("docker/src/files/root.rs", "proc(5)"),
    ("inventory/src/ansible/script.rs", "what `source.rs` has bounded"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Adds the files of Rust below a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns a file's text up to its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

#[test]
fn every_bound_is_there_and_has_a_test() {
    let (mut files, root) = (Vec::new(), root());
    assert!(places().len() > 40, "the control");
    for directory in ["crates", "tests/tests", "tests/src"] {
        sources(&root.join(directory), &mut files);
    }
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for (_, file, _) in WITHOUT {
        assert!(root.join("crates").join(file).exists(), "{file}");
    }
    for (what, file, bound, test) in places() {
        let text = fs::read_to_string(root.join("crates").join(file)).unwrap();
        assert!(text.contains(bound), "{what}: {file} has no {bound}");
        let named = format!("fn {test}(");
        assert!(texts.iter().any(|text| text.contains(&named)), "{what}: there is no test {test}");
    }
}

#[test]
fn every_place_that_gathers_is_in_the_table() {
    let (mut files, crates) = (Vec::new(), root().join("crates"));
    sources(&crates, &mut files);
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(&crates).unwrap().to_str().unwrap().to_owned();
        let is_test = name.contains("/tests") || name.starts_with("testkit/");
        let text = fs::read_to_string(&file).unwrap();
        if !is_test && GATHERS.iter().any(|call| without_tests(&text).contains(call)) {
            found.push(name);
        }
    }
    let places = places();
    let known = |name: &&String| {
        places.iter().any(|(_, file, ..)| file == *name)
            || OTHERS.iter().any(|(file, _)| file == *name)
    };
    let (known, unknown): (Vec<&String>, Vec<_>) = found.iter().partition(known);
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
    assert!(known.len() > 15, "the control: {known:?}");
    for (file, _) in OTHERS {
        assert!(known.iter().any(|name| name == file), "{file} gathers nothing");
    }
}
