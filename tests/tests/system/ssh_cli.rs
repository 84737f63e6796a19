//! The command end to end over SSH: what is typed, forwards, rsync.

use std::path::{Path, PathBuf};

use hostlink_tests::binary;
use hostlink_tests::cli::{code, count_running, run, stderr, unique_seconds, wait_until};
use hostlink_tests::forwards::{
    forwards_carry_bytes_and_leave_nothing, one_that_fails_leaves_nothing,
};
use hostlink_tests::rsync::{self, Far};
use hostlink_tests::rsync_stop;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::terminal::Terminal;

fn target() -> SshTarget {
    SshTarget::start(Sshd::builder())
}

/// Returns the name of the target, and the words before it with its data.
fn words_of(target: &SshTarget) -> (Vec<String>, String) {
    let mut words = target.words();
    let name = words.pop().expect("the target's name is the last word");
    (words, name)
}

fn far(target: &SshTarget) -> Far {
    let (data, name) = words_of(target);
    Far::new(&name).with_options(data)
}

fn shell(target: &SshTarget) -> Terminal {
    let words: Vec<String> = target.words().into_iter().chain(["shell".into()]).collect();
    let terminal = Terminal::start(&binary(), words, &[]);
    terminal.wait_until_taken_over();
    // Replaces the prompt of the target's own start-up files. The echo of this line shows the
    // quotes.
    terminal.type_in("PS1='re''ady '\r");
    terminal.wait_for("ready ");
    terminal
}

#[test]
fn a_shell_takes_lines_follows_the_window_and_gives_its_exit_code() {
    let target = target();
    let terminal = shell(&target);
    terminal.type_in("echo $((6 * 7))-$TERM-; stty size\r");
    terminal.wait_for("42-");
    terminal.resize(33, 99);
    let resized = || {
        terminal.type_in("stty size\r");
        terminal.shown().contains("33 99")
    };
    wait_until("the far window follows", resized);
    terminal.type_in("exit 7\r");
    assert_eq!(terminal.wait_for_status(), 7);
    assert!(terminal.has_first_modes(), "the terminal is not as it was");
}

#[test]
fn an_interrupt_is_for_the_far_side_and_the_escape_leaves_nothing() {
    let (target, seconds) = (target(), unique_seconds());
    let terminal = shell(&target);
    terminal.type_in(&format!("sleep {seconds}\r"));
    wait_until("the sleep runs", || count_running("sleep", &seconds) == 1);
    terminal.type_in("\x03");
    wait_until("the interrupt ends it", || count_running("sleep", &seconds) == 0);
    terminal.type_in(&format!("sleep {seconds}\r"));
    wait_until("the sleep runs again", || count_running("sleep", &seconds) == 1);
    terminal.type_in("\r~.");
    assert_eq!(terminal.wait_for_status(), 255);
    wait_until("nothing is left running", || count_running("sleep", &seconds) == 0);
}

#[test]
fn forwards_carry_bytes() {
    let target = target();
    let (data, name) = words_of(&target);
    let data: Vec<&str> = data.iter().map(String::as_str).collect();
    forwards_carry_bytes_and_leave_nothing(&binary(), &name, &data);
    one_that_fails_leaves_nothing(&binary(), &name, &data);
}

#[test]
fn rsync_copies_trees() {
    let target = target();
    rsync::a_tree_round_trips(&far(&target));
    rsync::what_is_gone_is_deleted_on_demand(&far(&target));
}

#[test]
fn rsync_takes_odd_names() {
    let target = target();
    rsync::odd_names_arrive(&far(&target));
    rsync::paths_are_read_as_rsync_reads_them(&far(&target));
}

#[test]
fn rsync_fails_as_rsync_does() {
    let target = target();
    rsync::a_missing_source_is_rsync_s_own_failure(&far(&target));
}

#[test]
fn a_signal_ends_rsync_on_both_sides() {
    let target = target();
    rsync_stop::a_signal_leaves_nothing(&far(&target));
}

#[test]
fn rsync_as_another_user_over_ssh() {
    let target = target();
    let (data, name) = words_of(&target);
    let files = tempfile::tempdir().expect("a directory can be made");
    let source: PathBuf = files.path().join("file");
    std::fs::write(&source, "content").expect("it can be written");
    let there = far(&target).directory();
    let command = run(hostlink_tests::cli::hostlink(data.iter().map(String::as_str).chain([
        &*name,
        "exec",
        "--",
        "chmod",
        "777",
        there.path(),
    ])));
    assert_eq!(code(&command), 0, "{}", stderr(&command));
    let sudo = ["--sudo", "--sudo-user", "nobody"].map(str::to_owned);
    let far = Far::new(&name).with_options(data.into_iter().chain(sudo));
    let copied = run(far.rsync(&source, there.at("file"), &["-a", "--no-owner", "--no-group"]));
    assert_eq!(code(&copied), 0, "{}", stderr(&copied));
    let path = Path::new(there.path()).join("file");
    let owner = std::os::unix::fs::MetadataExt::uid(&path.metadata().expect("it arrived"));
    assert_eq!(owner, 65534, "it is not nobody's");
}
