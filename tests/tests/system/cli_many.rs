//! The command end to end: several targets at the same time. Its connector `@multi` is in
//! `src/bin/hostlink-multi.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use hostlink_tests::cli::{self, code, run, run_with_input, stderr, stdout};
use serde_json::Value;

fn multi(words: &[&str]) -> Command {
    cli::command(Path::new(env!("CARGO_BIN_EXE_hostlink-multi")), words)
}

/// Targets finish in any order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn both(output: &Output) -> (String, String) {
    (stdout(output), stderr(output))
}

#[test]
fn each_line_has_the_name_in_front() {
    let line = r"printf 'one\n\ntwo'; echo err >&2";
    let output = run(multi(&["@multi/a,@multi/b", "exec", "--", line]));
    let (out, err) = both(&output);
    assert_eq!(code(&output), 0);
    let expected = ["[@multi/a] ", "[@multi/a] one", "[@multi/a] two"];
    assert_eq!(sorted(&out)[..3], expected);
    assert_eq!(sorted(&out)[3..], expected.map(|line| line.replace("/a", "/b")));
    assert!(out.ends_with('\n'));
    assert_eq!(sorted(&err), ["[@multi/a] err", "[@multi/b] err"]);
}

#[test]
fn one_host_named_twice_is_one_host() {
    let output = run(multi(&["@local,@local", "exec", "--", "echo x"]));
    assert_eq!(both(&output), ("x\n".into(), String::new()));
    // One name may give several hosts.
    let output = run(multi(&["@multi/b,@multi", "exec", "--", "echo x"]));
    assert_eq!(sorted(&stdout(&output)), ["[@multi/a] x", "[@multi/b] x"]);
}

#[test]
fn lines_stay_whole_with_several_writers() {
    let line = r"i=0; while [ $i -lt 300 ]; do printf abc; printf 'def\n'; i=$((i+1)); done";
    let targets: Vec<_> = (0..8).map(|number| format!("@multi/{number}")).collect();
    let output = run(multi(&[&targets.join(","), "exec", "--", line]));
    let out = stdout(&output);
    assert_eq!(out.lines().count(), 8 * 300);
    let kinds: BTreeSet<_> = out.lines().collect();
    assert_eq!(
        kinds,
        targets
            .iter()
            .map(|name| format!("[{name}] abcdef"))
            .collect::<BTreeSet<_>>()
            .iter()
            .map(String::as_str)
            .collect()
    );
}

#[test]
fn the_status_says_whether_all_succeeded() {
    for (targets, line, expected) in [
        ("@multi/a,@multi/b", "true", 0),
        ("@multi/a,@multi/b", "exit 7", 1),
        ("@multi/a,@multi/refuse", "true", 1),
        ("@multi/refuse", "true", 255),
        ("@multi/a", "exit 7", 7),
    ] {
        let output = run(multi(&[targets, "exec", "--", line]));
        assert_eq!(code(&output), expected, "{targets} {line}: {}", stderr(&output));
    }
    let output = run(multi(&["@multi/a,@multi/refuse", "exec", "--", "exit 7"]));
    let expected = [
        "hostlink: @multi/a: the command ended with exit code 7",
        "hostlink: @multi/refuse: nobody is at home",
    ];
    assert_eq!(sorted(&stderr(&output)), expected);
}

#[test]
fn each_target_has_its_object() {
    let output = run(multi(&["--json", "@multi/a,@multi/refuse", "exec", "--", "echo x"]));
    let text = stdout(&output);
    let objects: Vec<Value> =
        sorted(&text).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code(&output), objects.len()), (1, 2));
    assert_eq!((&objects[0]["host"], &objects[0]["stdout"]), (&"@multi/a".into(), &"x\n".into()));
    assert_eq!(objects[1]["error"]["kind"], "connect");
    assert_eq!(objects[1]["stdout"], Value::Null);
}

#[test]
fn each_target_reads_standard_input_from_its_start() {
    let bytes = "0123456789\n".repeat(20_000);
    let exec = multi(&["@multi/a,@multi/b", "exec", "--stdin", "-", "--", "cksum"]);
    let shown = stdout(&run_with_input(exec, bytes.as_bytes()));
    let sums: BTreeSet<_> = shown.lines().map(|line| line.split_once("] ").unwrap().1).collect();
    assert_eq!((shown.lines().count(), sums.len()), (2, 1), "{shown}");
    assert!(shown.contains(" 220000"), "{shown}");
}

#[test]
fn standard_input_is_put_on_each_target() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let put = ["@multi/a,@multi/b", "put", "-", path.to_str().unwrap()];
    let output = run_with_input(multi(&put), b"abc\0");
    assert_eq!((code(&output), both(&output)), (0, Default::default()));
    assert_eq!(fs::read(&path).unwrap(), b"abc\0");
}

#[test]
fn each_copy_goes_to_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let get =
        |destination: &str| run(multi(&["@multi/a,@multi/b", "get", "/etc/passwd", destination]));
    for shared in [&path("same"), "-"] {
        let output = get(shared);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()));
        assert!(stderr(&output).contains("put {host} into DEST"), "{}", stderr(&output));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(code(&get(&path("{host}.txt"))), 0);
    assert_eq!(code(&get(&path("{host}/etc/passwd"))), 0);
    for name in ["@multi_a.txt", "@multi_b.txt", "@multi_a/etc/passwd", "@multi_b/etc/passwd"] {
        assert_eq!(fs::read(path(name)).unwrap(), fs::read("/etc/passwd").unwrap());
    }
}

#[test]
fn a_file_is_put_under_the_name_of_each_target() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let output = run(multi(&["@multi/a,@multi/b", "put", "/etc/passwd", &path("c-{host}")]));
    assert_eq!((code(&output), both(&output)), (0, Default::default()));
    for name in ["c-@multi_a", "c-@multi_b"] {
        assert_eq!(fs::read(path(name)).unwrap(), fs::read("/etc/passwd").unwrap());
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_directory_is_put_under_the_name_of_each_target_and_other_names_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(path("tree")).unwrap();
    fs::write(path("tree/file"), "text").unwrap();
    let targets = "@multi/a,@multi/b";
    let output = run(multi(&[targets, "put", "-r", &path("tree"), &path("t-{host}")]));
    assert_eq!((code(&output), both(&output)), (0, Default::default()));
    for name in ["t-@multi_a/file", "t-@multi_b/file"] {
        assert_eq!(fs::read(path(name)).unwrap(), b"text");
    }
    for words in [
        ["put", "/etc/passwd", &path("c-{inventory_hostname}")],
        ["put", "/etc/passwd", &path("{host}-{name}")],
        ["get", "/etc/passwd", &path("{host}/{hostname}")],
    ] {
        let output = run(multi(&[&[targets], &words[..]].concat()));
        let line = stderr(&output);
        assert_eq!((code(&output), line.lines().count()), (2, 1), "{line}");
        assert!(line.contains("only {host} is replaced"), "{line}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn one_at_a_time_is_one_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock").display().to_string();
    let line = format!("mkdir {lock} && rmdir {lock}");
    let targets: Vec<_> = (0..20).map(|number| format!("@multi/{number}")).collect();
    let output = run(multi(&["--parallel", "1", &targets.join(","), "exec", "--", &line]));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
}

#[test]
fn a_connector_of_ones_own_is_described() {
    let shown = stdout(&run(multi(&["connectors", "multi"])));
    assert!(shown.contains("multi_password (text, secret)"), "{shown}");
}
