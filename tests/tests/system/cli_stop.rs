//! The command end to end: timeouts, signals and closed pipes leave no process.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use hostlink_tests::cli::{
    self, code, count_running, hostlink, run, send_signal, stderr, stdout, unique_seconds,
    wait_for_exit, wait_until,
};

const MULTI: &str = env!("CARGO_BIN_EXE_hostlink-multi");

/// Returns a line that sleeps in the foreground, and in the background, ignoring polite signals.
fn sleeping(seconds: &str) -> String {
    format!("(trap '' HUP INT TERM; exec sleep {seconds}) & sleep {seconds}")
}

/// Starts it and waits until this many of its sleeps run, which proves that they can be found.
fn start(mut command: Command, seconds: &str, sleeps: usize) -> Child {
    let child = command.spawn().unwrap();
    wait_until("the command runs", || count_running("sleep", seconds) == sleeps);
    child
}

fn nothing_is_left(seconds: &str) {
    wait_until("nothing is left running", || count_running("sleep", seconds) == 0);
}

fn ended(mut child: Child) -> Output {
    wait_for_exit(&mut child);
    child.wait_with_output().unwrap()
}

#[test]
fn a_process_that_is_planted_is_found() {
    let seconds = unique_seconds();
    assert_eq!(count_running("sleep", &seconds), 0);
    let mut planted = Command::new("sleep").arg(&seconds).spawn().unwrap();
    wait_until("it is found", || count_running("sleep", &seconds) == 1);
    planted.kill().unwrap();
    planted.wait().unwrap();
    assert_eq!(count_running("sleep", &seconds), 0);
}

#[test]
fn a_time_out_is_124_and_ends_everything() {
    let seconds = unique_seconds();
    let line = format!("echo so far; {}", sleeping(&seconds));
    let output = run(hostlink(["@local", "exec", "--timeout", "1", "--", &line]));
    assert_eq!((code(&output), stdout(&output)), (124, "so far\n".into()));
    let told = "hostlink: @local: it took longer than 1s and was ended\n";
    assert_eq!(stderr(&output), told);
    nothing_is_left(&seconds);
}

#[test]
fn a_signal_ends_everything() {
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let seconds = unique_seconds();
        let line = sleeping(&seconds);
        let child = start(hostlink(["@local", "exec", "--", &line]), &seconds, 2);
        send_signal(&child, signal);
        let output = ended(child);
        assert_eq!((code(&output), stderr(&output)), (expected, String::new()));
        nothing_is_left(&seconds);
    }
}

#[test]
fn a_signal_ends_everything_on_every_target() {
    let seconds = unique_seconds();
    let targets = "@multi/a,@multi/b,@multi/never,@local";
    let line = sleeping(&seconds);
    let words = [targets, "exec", "--", &line];
    let child = start(cli::command(Path::new(MULTI), words), &seconds, 6);
    send_signal(&child, "INT");
    let output = ended(child);
    assert_eq!((code(&output), stderr(&output)), (130, String::new()));
    nothing_is_left(&seconds);
}

#[test]
fn a_second_signal_ends_it_immediately() {
    let seconds = unique_seconds();
    let words = ["@multi/clings", "exec", "--", "sleep", &seconds];
    let mut child = start(cli::command(Path::new(MULTI), words), &seconds, 1);
    send_signal(&child, "INT");
    nothing_is_left(&seconds);
    assert!(child.try_wait().unwrap().is_none(), "the control: it waits for the connection");
    let second = Instant::now();
    send_signal(&child, "INT");
    assert_eq!(code(&ended(child)), 130);
    assert!(second.elapsed() < Duration::from_secs(5), "it did not wait for its own limit");
}

#[test]
fn a_signal_ends_a_wait_for_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let mut command = hostlink(["@local", "put", "-", path.to_str().unwrap()]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let writer = child.stdin.take().unwrap();
    wait_until("it handles signals", || handles_interrupt(&child));
    send_signal(&child, "INT");
    assert_eq!(code(&ended(child)), 130);
    drop(writer);
    wait_until("no part is left", || fs::read_dir(&directory).unwrap().count() == 0);
}

/// Returns whether a handler for SIGINT is installed (proc(5), SigCgt).
fn handles_interrupt(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
}

#[test]
fn a_pipe_without_a_reader_is_141_and_ends_everything() {
    for json in [false, true] {
        let seconds = unique_seconds();
        // With --json nothing is printed before the end.
        let line = match json {
            false => format!("sleep {seconds} & while echo line; do :; done"),
            true => "echo line".into(),
        };
        let options = if json { &["--json"][..] } else { &[] };
        let words = [options, &["@local", "exec", "--", &line]].concat();
        let mut child = hostlink(words).spawn().unwrap();
        if json {
            drop(child.stdout.take());
        } else {
            wait_until("the command runs", || count_running("sleep", &seconds) == 1);
            let mut first = [0; 5];
            child.stdout.take().unwrap().read_exact(&mut first).unwrap();
            assert_eq!(&first, b"line\n");
        }
        let output = ended(child);
        assert_eq!((code(&output), stderr(&output)), (141, String::new()), "json: {json}");
        nothing_is_left(&seconds);
    }
}

#[test]
fn a_pipe_of_a_shell_can_be_cut_off() {
    let binary = hostlink_tests::binary();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 30).unwrap();
    let line = format!(
        "{0} @local exec -- yes | head -1; {0} @local get {1} - | head -c 1 | od -An -c; \
         {0} --help | true",
        binary.display(),
        file.path().display()
    );
    let output = run(cli::command(Path::new("sh"), ["-c", &line]));
    assert_eq!(stdout(&output).split_whitespace().collect::<Vec<_>>(), ["y", "\\0"]);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_slow_reader_slows_the_command_down() {
    let seconds = unique_seconds();
    let line = format!("sleep {seconds} & cat /dev/zero");
    let child = start(hostlink(["@local", "exec", "--", &line]), &seconds, 1);
    let mut before = 0;
    let mut calm = 0;
    // A command that is not slowed down would never be idle.
    wait_until("nothing moves any more", || {
        let now = processor_time(&child);
        calm = if now == before { calm + 1 } else { 0 };
        before = now;
        calm == 50
    });
    let peak = peak_memory_kib(&child);
    assert!(peak < 64 * 1024, "{peak} KiB");
    send_signal(&child, "TERM");
    assert_eq!(code(&ended(child)), 143);
    nothing_is_left(&seconds);
}

/// Returns its CPU time in clock ticks (proc(5), utime and stime).
fn processor_time(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
}

fn peak_memory_kib(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
