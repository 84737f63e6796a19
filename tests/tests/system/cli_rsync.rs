//! The command end to end: `rsync` over the link of this machine, with real rsyncs on both sides.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use hostlink::connect::SECRET_VARIABLES;
use hostlink_tests::cli::{self, code, hostlink, run, stderr, stdout};
use hostlink_tests::rsync::{self, Far};
use hostlink_tests::rsync_stop;

const MULTI: &str = env!("CARGO_BIN_EXE_hostlink-multi");
const NOBODY: u32 = 65534;

fn local() -> Far {
    Far::new("@local")
}

fn nobody() -> Far {
    local().with_options(["--sudo", "--sudo-user", "nobody"])
}

#[test]
fn a_tree_round_trips() {
    rsync::a_tree_round_trips(&local());
}

#[test]
fn what_is_gone_is_deleted_on_demand() {
    rsync::what_is_gone_is_deleted_on_demand(&local());
}

#[test]
fn odd_names_arrive() {
    rsync::odd_names_arrive(&local());
}

#[test]
fn paths_are_read_as_rsync_reads_them() {
    rsync::paths_are_read_as_rsync_reads_them(&local());
}

#[test]
fn a_missing_source_is_rsync_s_own_failure() {
    rsync::a_missing_source_is_rsync_s_own_failure(&local());
}

#[test]
fn a_target_without_rsync_has_its_own_error() {
    rsync::a_target_without_rsync_has_its_own_error(&Far::new("@spawnonly").with_program(MULTI));
}

#[test]
fn a_signal_leaves_nothing() {
    rsync_stop::a_signal_leaves_nothing(&local());
}

#[test]
fn a_kill_leaves_nothing_running() {
    rsync_stop::a_kill_leaves_nothing_running(&local());
}

#[test]
fn a_killed_rsync_ends_the_other_side() {
    rsync_stop::a_killed_rsync_ends_the_other_side(&local());
}

#[test]
fn a_signal_reaches_an_rsync_that_is_left_alone() {
    rsync_stop::a_signal_reaches_an_rsync_that_is_left_alone(&local());
}

#[test]
fn a_time_out_leaves_nothing() {
    rsync_stop::a_time_out_leaves_nothing(&local());
}

#[test]
fn memory_stays_flat() {
    rsync_stop::memory_stays_flat(&local());
}

#[test]
fn a_tree_goes_to_another_user_and_back() {
    rsync::a_tree_round_trips(&nobody());
}

#[test]
fn odd_names_arrive_as_another_user() {
    rsync::odd_names_arrive(&nobody());
}

#[test]
fn a_signal_leaves_nothing_of_another_user() {
    rsync_stop::a_signal_leaves_nothing(&nobody());
}

#[test]
fn the_other_side_has_the_other_user_s_rights() {
    let there = nobody().directory();
    assert_eq!(code(&run(nobody().rsync("/etc/hosts", there.at("hosts"), &["-t"]))), 0);
    assert_eq!(fs::metadata(Path::new(there.path()).join("hosts")).unwrap().uid(), NOBODY);
    let here = tempfile::tempdir().unwrap();
    let output = run(nobody().rsync(":/etc/shadow", here.path(), &["-t"]));
    assert_eq!(code(&output), 23, "{}", stderr(&output));
    assert!(stderr(&output).contains("/etc/shadow"), "{}", stderr(&output));
}

#[test]
fn a_user_that_sudo_does_not_know_is_an_error_of_its_own() {
    let stranger = local().with_options(["--sudo", "--sudo-user", "no-such-user"]);
    let output = run(stranger.rsync("/etc/hosts", ":/tmp/x", &["-a"]));
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("hostlink: @local: "), "{}", stderr(&output));
}

#[test]
fn a_link_that_fails_is_255() {
    let refusing = Far::new("@multi/refuse").with_program(MULTI);
    let output = run(refusing.rsync("/etc/hosts", ":/tmp/x", &["-a"]));
    assert_eq!((code(&output), stdout(&output)), (255, String::new()));
    assert_eq!(stderr(&output), "hostlink: @multi/refuse: nobody is at home\n");
}

#[test]
fn output_is_rsync_s_own() {
    let there = local().directory();
    let output = run(local().rsync("/etc/hosts", there.at(""), &["-t", "--out-format=%n"]));
    assert_eq!((code(&output), stdout(&output)), (0, "hosts\n".into()), "{}", stderr(&output));
}

#[test]
fn no_rsync_inherits_a_secret() {
    let here = tempfile::tempdir().unwrap();
    let shown = here.path().display();
    // Both sides find it on the path, and it records the environment that they inherited.
    let spy = format!("#!/bin/sh\nenv >'{shown}'/env.$$\nPATH=/usr/bin exec rsync \"$@\"\n");
    fs::write(here.path().join("rsync"), spy).unwrap();
    fs::set_permissions(here.path().join("rsync"), Permissions::from_mode(0o755)).unwrap();
    let mut command = local().rsync("/etc/hosts", format!(":{shown}/copy"), &["-t"]);
    command.env("PATH", format!("{shown}:/usr/bin:/bin"));
    for name in SECRET_VARIABLES {
        command.env(name, "hunter2");
    }
    let output = run(command);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    let entries = fs::read_dir(&here).unwrap().map(|entry| entry.unwrap().path());
    let environments: Vec<_> = entries
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("env."))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(environments.len(), 2);
    for environment in environments {
        assert!(environment.contains("PATH=") && !environment.contains("hunter2"), "{environment}");
    }
}

#[test]
fn a_program_whose_path_is_odd_finds_itself() {
    let here = tempfile::tempdir().unwrap();
    let odd = here.path().join("it's \"a\" path");
    fs::create_dir(&odd).unwrap();
    let program = odd.join("host link");
    fs::copy(hostlink_tests::binary(), &program).unwrap();
    // A temporary directory whose path is too long for a socket is not used.
    let long = odd.join("long".repeat(25));
    fs::create_dir(&long).unwrap();
    for temporary in [&odd, &long] {
        let copy = here.path().join("copy");
        let far = local().with_program(&program);
        let mut command = far.rsync(":/etc/hosts", &copy, &["-t"]);
        command.env("TMPDIR", temporary);
        let output = run(command);
        assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{temporary:?}");
        fs::remove_file(copy).unwrap();
    }
}

#[test]
fn a_machine_without_rsync_is_reported_before_anything_connects() {
    let here = tempfile::tempdir().unwrap();
    let mut command = local().rsync("/etc/hosts", ":/tmp/x", &["-a"]);
    command.env("PATH", here.path());
    let output = run(command);
    let line = "hostlink: this machine has no rsync: install it here\n";
    assert_eq!((code(&output), stderr(&output)), (127, line.into()));
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (words, says) in [
        (&["a", "b", "--", "-a"][..], "put a colon before one"),
        (&[":a", ":b", "--", "-a"], "both on the target"),
        (&["a", "::b", "--", "-a"], "rsync daemon"),
        (&["", ":b", "--", "-a"], "SRC is empty"),
        (&["a"], "<DEST>"),
        (&["a", ":b", "-a"], "write FLAGS after --"),
        (&["--json", "a", ":b"], "--json"),
        (&["--get-pty", "a", ":b"], "--get-pty"),
        (&["a", ":b", "--", "-aze", "ssh"], "-aze: -e is rsync's --rsh"),
        (&["a", ":b", "--", "--rsh=ssh"], "--rsh=ssh: rsync uses"),
        (&["a", ":b", "--", "--daemon"], "--daemon: "),
        (&["a", ":b", "--", "--files-from=-"], "no standard input"),
        (&["a", ":b", "--", "--", "x"], "--: FLAGS are options only"),
    ] {
        let output = run(hostlink([&["@local", "rsync"], words].concat()));
        let line = stderr(&output);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{words:?}: {line}");
        assert!(line.starts_with("hostlink: ") && line.lines().count() == 1, "{words:?}: {line}");
        assert!(line.contains(says), "{words:?}: {line}");
    }
    let words = ["@multi", "rsync", "a", ":b", "--", "-a"];
    let several = cli::command(Path::new(MULTI), words);
    let output = run(several);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("rsync is for one target"), "{}", stderr(&output));
}
