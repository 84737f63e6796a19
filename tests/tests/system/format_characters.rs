//! The command end to end: characters that change how others are shown are blanked out in what
//! hostlink says, whether a host's name has them or a target says them.

use std::fs;

use hostlink_tests::cli::{hostlink, run, stderr, stdout};

/// It shows the text after it from right to left.
const OVERRIDE: char = '\u{202e}';

/// Runs the command, which has to say `shown`, and never the character.
fn assert_harmless(words: &[&str], shown: &str) {
    let output = run(hostlink(words));
    let text = stdout(&output) + &stderr(&output);
    assert!(text.contains(shown), "{words:?}: {text}");
    assert!(!text.contains(OVERRIDE), "{words:?}: {text}");
}

#[test]
fn a_name_cannot_turn_the_text_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path().join("hosts.yaml");
    let host = |number| format!("  - {{name: \"w\\u202e{number}\", target: \"@local\"}}\n");
    fs::write(&hosts, format!("hosts:\n{}{}", host(1), host(2))).unwrap();
    let hosts = hosts.to_str().unwrap();
    assert_harmless(&[hosts, "inventory"], "w 1");
    assert_harmless(&[hosts, "inventory", "--graph"], "w 2");
    assert_harmless(&[hosts, "exec", "--", "echo said"], "[w 1] said");
    assert_harmless(&[hosts, "exec", "--", "exit 3"], "w 2: the command ended");
    assert_harmless(&["-v", hosts, "exec", "--", "true"], "w 1: connected");
}

#[test]
fn a_target_cannot_turn_the_text_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let strange = format!("a{OVERRIDE}b");
    fs::create_dir(path("tree")).unwrap();
    let fifo = path(&format!("tree/{strange}"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &*fifo, 0o600.into()).unwrap();
    let tree = path("tree");
    assert_harmless(&["@local", "get", "-r", &tree, &path("got")], "is left out");
    assert_harmless(&["@local", "put", "-r", &tree, &path("put")], "a b is no file");
    assert_harmless(&["@local", "get", &path(&strange), "-"], "a b is not there");
    assert_harmless(&["@local", "get", &fifo, "-"], "a b is not a regular file");
    let user = ["--sudo", "--sudo-user", &strange, "@local", "exec", "--", "true"];
    assert_harmless(&user, "a b");
    let line = format!("true '{strange}'");
    assert_harmless(&["-v", "@local", "exec", "--", &line], "true");
}
