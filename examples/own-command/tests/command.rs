//! Runs the program as a user does. Needs root and iproute2.

use std::process::{Command, Output, Stdio};

#[path = "../../netns/tests/namespace/mod.rs"]
mod namespace;

use namespace::Namespace;

fn own_command(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_own-command"));
    command.args(words).stdin(Stdio::null()).env_remove("CLOUD_URL").env_remove("CLOUD_TOKEN");
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn connectors_of_both_sides_are_listed() {
    let output = own_command(&["connectors"]);
    let listed = text(&output.stdout);
    let names: Vec<&str> = listed.lines().filter(|line| line.starts_with('@')).collect();
    for name in ["@local", "@ssh", "@netns", "@cloud"] {
        assert!(names.contains(&name), "{listed}");
    }
    assert!(listed.contains("    cloud_token (text, secret)\n"), "{listed}");
}

#[test]
fn commands_and_files_go_through_a_namespace() {
    let namespace = Namespace::make();
    let target = format!("@netns/{}", namespace.name());
    let output = own_command(&[&target, "exec", "--", "ls /sys/class/net; exit 3"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), "lo\n".to_owned()));
    let output = own_command(&[&target, "get", "/proc/self/net/dev", "-"]);
    let devices = text(&output.stdout);
    assert!(devices.contains("lo:") && devices.lines().count() == 3, "{devices}");
}

#[test]
fn bad_input_is_one_line_and_status_2() {
    for (target, expected) in [
        ("@netns/a b", "hostlink: @netns/a b: \"a b\" is not a valid namespace name: use letters"),
        ("@netns", "hostlink: @netns names no namespace: write @netns/NAME"),
        ("@cloud", "hostlink: cloud_url: missing: set it or the variable CLOUD_URL; cloud_token"),
        ("@clod", "hostlink: there is no connector @clod; there are: @local"),
    ] {
        let output = own_command(&[target, "exec", "--", "true"]);
        let told = text(&output.stderr);
        assert!(told.starts_with(expected) && told.lines().count() == 1, "{told}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
}
