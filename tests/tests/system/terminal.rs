//! Commands on this machine can neither reach the user's terminal nor be stopped by it.
//!
//! `script` gives the program a real terminal. The bare command is the control: there, `/dev/tty`
//! opens.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a line of shell on a new terminal, and returns its output there.
fn on_terminal(line: &str) -> String {
    let mut child = Command::new("script")
        .args(["-qec", line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{line}: stopped, or waiting for the terminal");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn hostlink() -> String {
    hostlink_tests::binary().display().to_string()
}

const PROBE: &str =
    "if stty </dev/tty >/dev/null 2>&1; then echo reached; else echo out of reach; fi";

#[test]
fn a_command_cannot_open_the_users_terminal() {
    assert!(on_terminal(PROBE).contains("reached"), "the control: script gives a terminal");
    let shown = on_terminal(&format!("{} @local exec -- '{PROBE}'", hostlink()));
    assert!(shown.contains("out of reach"), "{shown}");
}

#[test]
fn a_command_that_asks_for_the_terminal_is_not_stopped() {
    let line =
        format!("{} @local exec -- 'stty -a </dev/tty; read x </dev/tty; echo over'", hostlink());
    let shown = on_terminal(&line);
    assert!(shown.contains("over"), "{shown}");
}

#[test]
fn a_pty_is_a_terminal_of_its_own() {
    let shown = on_terminal(&format!("tty; {} --get-pty @local exec -- tty", hostlink()));
    let names: Vec<&str> =
        shown.lines().map(str::trim).filter(|line| line.contains("/dev/")).collect();
    assert_eq!(names.len(), 2, "{shown}");
    assert_ne!(names[0], names[1]);
}
