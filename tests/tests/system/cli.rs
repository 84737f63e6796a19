//! The command end to end: running commands.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use hostlink::connect::SECRET_VARIABLES;
use hostlink_tests::cli::{code, hostlink, run, run_with_input, stderr, stdout};

#[test]
fn the_first_example_works() {
    let output = run(hostlink(["@local", "exec", "--", "uname", "-a"]));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    assert!(stdout(&output).starts_with("Linux "), "{}", stdout(&output));
}

#[test]
fn several_words_arrive_as_they_are() {
    let mut words: Vec<OsString> =
        ["@local", "exec", "--", "printf", "%s\n"].map(Into::into).into();
    words.extend(["$HOME", "it's", "a  b", "", "*", "\n", "--json"].map(OsString::from));
    words.push(OsString::from_vec(b"\xff".to_vec()));
    let output = run(hostlink(words));
    assert_eq!(output.stdout, b"$HOME\nit's\na  b\n\n*\n\n\n--json\n\xff\n");
}

#[test]
fn one_word_is_a_line_for_the_shell() {
    let line = "printf '%s ' a b | tr a-z A-Z; echo $((1 + 1)) >&2";
    let output = run(hostlink(["@local", "exec", "--", line]));
    assert_eq!((stdout(&output), stderr(&output)), ("A B ".into(), "2\n".into()));
}

#[test]
fn output_is_unchanged_and_each_stream_stays_itself() {
    let line = r"printf '\0\377\r\nend'; printf '\376' >&2";
    let output = run(hostlink(["@local", "exec", "--", line]));
    assert_eq!(output.stdout, b"\0\xff\r\nend");
    assert_eq!(output.stderr, b"\xfe");
}

#[test]
fn exit_codes_are_passed_on() {
    for expected in [0, 1, 2, 7, 126, 127, 128, 255] {
        let output = run(hostlink(["@local", "exec", "--", &format!("exit {expected}")]));
        assert_eq!((code(&output), stderr(&output)), (expected, String::new()));
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    for (signal, expected) in [("KILL", 137), ("TERM", 143), ("HUP", 129)] {
        let output = run(hostlink(["@local", "exec", "--", &format!("kill -s {signal} $$")]));
        assert_eq!(code(&output), expected, "{signal}");
    }
}

#[test]
fn listed_exit_codes_are_success() {
    let status = |line: &str| {
        let options = ["@local", "exec", "--success-exit-codes", "3,4", "--", line];
        code(&run(hostlink(options)))
    };
    assert_eq!(status("exit 3"), 0);
    assert_eq!(status("exit 5"), 5);
    assert_eq!(status("exit 0"), 1, "0 is not listed");
}

#[test]
fn standard_input_is_empty_unless_it_is_asked_for() {
    let exec = |option: &[&str]| {
        let words = [&["@local", "exec"], option, &["--", "cat"]].concat();
        stdout(&run_with_input(hostlink(words), b"typed\0"))
    };
    assert_eq!(exec(&[]), "");
    assert_eq!(exec(&["--stdin", "-"]), "typed\0");
    assert_eq!(exec(&["--stdin", "/dev/null"]), "");
    assert_eq!(exec(&["--stdin", "/proc/self/comm"]), "hostlink\n");
}

#[test]
fn a_retry_reads_standard_input_again() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark").display().to_string();
    let line = format!("cat; test -e {mark} || {{ touch {mark}; exit 1; }}");
    let options = ["--retries", "1", "--retry-delay", "0", "--stdin", "-"];
    let words = [&["@local", "exec"], &options[..], &["--", &line]].concat();
    let output = run_with_input(hostlink(words), b"x");
    assert_eq!((code(&output), stdout(&output)), (0, "xx".into()), "{}", stderr(&output));
}

#[test]
fn output_that_asks_for_it_is_a_reason_to_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark").display().to_string();
    let line = format!("test -e {mark} && echo done || {{ touch {mark}; echo wait >&2; }}");
    for options in [&["--retry-until", "wait"][..], &["--json", "--retry-until", "wait"]] {
        let retries = ["--retries", "2", "--retry-delay", "0", "@local", "exec", "--", &line];
        let output = run(hostlink([options, &retries].concat()));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).contains("done"), "{options:?}: {}", stdout(&output));
        std::fs::remove_file(&mark).unwrap();
    }
}

#[test]
fn options_precede_targets_or_follow_the_subcommand() {
    let line = "echo $A-$B; pwd";
    let before = ["--env", "A=1", "--chdir", "/usr", "--env", "B=2", "@local", "exec", "--", line];
    let behind = ["@local", "exec", "--env", "A=1", "--env", "B=2", "--chdir", "/usr", "--", line];
    let both = ["--env", "A=1", "@local", "exec", "--chdir", "/usr", "--env", "B=2", "--", line];
    for words in [before, behind, both] {
        assert_eq!(stdout(&run(hostlink(words))), "1-2\n/usr\n", "{words:?}");
    }
}

#[test]
fn host_data_gives_arguments_and_the_command_line_overrides_them() {
    let data = ["--data", "_chdir=/usr", "--data", "_env={\"A\": \"1\"}", "--data", "mine=x"];
    let exec = ["@local", "exec", "--", "pwd; echo $A"];
    assert_eq!(stdout(&run(hostlink([&data[..], &exec].concat()))), "/usr\n1\n");
    let over = ["--chdir", "/"];
    assert_eq!(stdout(&run(hostlink([&data[..], &over, &exec].concat()))), "/\n1\n");
}

#[test]
fn a_password_of_the_environment_reaches_no_command() {
    let mut command = hostlink(["@local", "exec", "--", "env; cat /proc/self/environ"]);
    for name in SECRET_VARIABLES {
        command.env(name, "hunter2");
    }
    command.env("PLANTED", "hunter3");
    let shown = stdout(&run(command));
    assert!(shown.contains("PLANTED=hunter3"), "the control: the environment is inherited");
    assert!(!shown.contains("hunter2") && !shown.contains("_PASSWORD"), "{shown}");
}

#[test]
fn verbose_shows_the_command_on_standard_error() {
    let output = run(hostlink(["-v", "@local", "exec", "--", "echo", "a b"]));
    assert_eq!((stdout(&output), code(&output)), ("a b\n".into(), 0));
    let shown = stderr(&output);
    assert!(shown.contains("\n[@local] >>> ") && shown.contains("a b"), "{shown}");
    assert!(shown.starts_with("hostlink: @local: connecting\n"), "{shown}");
}

#[test]
fn a_closed_or_full_standard_error_is_no_concern() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut command = hostlink(["-v", "@local", "exec", "--", "echo out; echo err >&2; exit 3"]);
    command.stderr(full);
    let output = run(command);
    assert_eq!((code(&output), stdout(&output)), (3, "out\n".into()));
}

#[test]
fn a_full_standard_output_is_an_error() {
    for words in [
        &["@local", "exec", "--", "echo"][..],
        &["--json", "@local", "exec", "--", "echo"],
        &["@local", "get", "/etc/passwd", "-"],
        &["--help"],
        &["connectors"],
    ] {
        let mut command = hostlink(words);
        command.stdout(std::fs::File::create("/dev/full").unwrap());
        let output = run(command);
        assert_eq!(code(&output), 1, "{words:?}");
        assert!(stderr(&output).contains("No space left"), "{words:?}: {}", stderr(&output));
    }
}

#[test]
fn help_version_and_connectors_are_results() {
    for (words, expected) in [
        (&["--help"][..], "Exit status"),
        (&["help", "exec"], "One word is a line for the target's shell"),
        (&["@local", "exec", "--help"], "--sudo-user"),
        (&["--version"], "hostlink 0."),
        (&["connectors"], "@local\n"),
        (&["connectors", "local"], "This machine"),
        (&["connectors", "--json", "@local"], "{\"name\":\"local\""),
    ] {
        let output = run(hostlink(words));
        assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{words:?}");
        assert!(stdout(&output).contains(expected), "{words:?}: {}", stdout(&output));
    }
}
