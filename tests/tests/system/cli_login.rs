//! The command end to end: login options. Secrets are prompted for on a real terminal, without
//! echo.

use std::path::Path;
use std::process::{Command, Output};

use hostlink_tests::cli::{self, code, run, stderr, stdout};
use hostlink_tests::terminal::Terminal;

const LOGIN: &str = env!("CARGO_BIN_EXE_hostlink-login");
const RIGHT: &str = "correct horse";

fn login(words: &[&str]) -> Command {
    cli::command(Path::new(LOGIN), words)
}

/// Runs without any terminal: the test itself may run on one.
fn without_terminal(words: &[&str]) -> Output {
    run(cli::command(Path::new("setsid"), [&["-w", LOGIN], words].concat()))
}

fn on_terminal(words: &[&str]) -> Terminal {
    Terminal::start(Path::new(LOGIN), words, &[])
}

/// Returns the data that the connector got: user, port, key, password, passphrase.
fn received(mut command: Command, words: &[&str]) -> String {
    command.args(words).args(["@login/tell", "exec", "--", "ls"]);
    let output = run(command);
    assert_eq!(code(&output), 255, "{}", stderr(&output));
    stderr(&output).trim_start_matches("hostlink: @login/tell: ").trim_end().to_owned()
}

#[test]
fn flags_are_data_over_the_targets_own() {
    for (words, expected) in [
        (&[][..], "none none none none none"),
        (&["--ssh-user", "a", "--ssh-port", "22", "--ssh-key", "k"], "a 22 k none none"),
        (&["--user", "a", "--port", "22", "--key", "k"], "a 22 k none none"),
        (&["--data", "ssh_user=x", "--user", "a", "--data", "ssh_port=1"], "a 1 none none none"),
    ] {
        assert_eq!(received(login(&[]), words), expected, "{words:?}");
    }
    let behind = login(&["@login/tell", "exec", "--user", "b", "--", "ls"]);
    assert!(stderr(&run(behind)).contains(": b none none"));
}

#[test]
fn the_environment_has_the_password_and_no_command_has_it() {
    let mut command = login(&[]);
    command.env("HOSTLINK_SSH_PASSWORD", RIGHT);
    assert_eq!(received(command, &[]), "none none none right none");
    let mut command = login(&["@login/open,@local", "exec", "--", "env; cat /proc/self/environ"]);
    command.env("HOSTLINK_SSH_PASSWORD", RIGHT).env("PLANTED", "hunter3");
    let output = run(command);
    let shown = stdout(&output) + &stderr(&output);
    assert!(shown.contains("PLANTED=hunter3"), "the control: the environment is inherited");
    assert!(!shown.contains(RIGHT) && !shown.contains("HOSTLINK_SSH"), "{shown}");
}

#[test]
fn secrets_as_arguments_are_warned_about_once() {
    for key in ["ssh_password", "ssh_key_password"] {
        let pair = format!("{key}=hunter2");
        let output = run(login(&["--data", &pair, "@login/open", "exec", "--", "ls"]));
        let line = stderr(&output);
        assert_eq!((code(&output), line.lines().count()), (0, 1), "{line}");
        assert!(line.contains(&format!("{key}_file")) && !line.contains("hunter2"), "{line}");
    }
}

#[test]
fn flags_that_no_target_heeds_are_refused() {
    for flag in [&["--user", "a"][..], &["--ssh-password-prompt"], &["--ssh-key-password-prompt"]] {
        let output = run(login(&[flag, &["@local", "exec", "--", "ls"]].concat()));
        assert_eq!(code(&output), 2, "{flag:?}");
        assert!(stderr(&output).contains("no target reads ssh_"), "{}", stderr(&output));
    }
    // It is enough if one target uses the option.
    let output = run(login(&["--user", "a", "@local,@login/open", "exec", "--", "ls"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn passwords_are_prompted_for_once_and_not_shown() {
    let flags = ["--ssh-password-prompt", "--ssh-key-password-prompt"];
    let terminal = on_terminal(&[&flags[..], &["@login/tell", "exec", "--", "ls"]].concat());
    terminal.wait_for("hostlink: SSH password for all targets: ");
    assert!(!terminal.has_first_modes(), "the control: there is no echo");
    terminal.type_in("correct horse\r");
    terminal.wait_for("hostlink: passphrase of the SSH key: ");
    terminal.type_in("battery staple\r");
    assert_eq!(terminal.wait_for_status(), 255);
    let shown = terminal.shown();
    assert!(shown.contains("none none none right right"), "{shown:?}");
    assert!(!shown.contains("horse") && !shown.contains("staple"), "{shown:?}");
    assert!(terminal.has_first_modes());
}

#[test]
fn without_a_terminal_there_is_no_prompt() {
    for (words, status, says) in [
        (&["--ssh-password-prompt", "@login/open"][..], 2, "set HOSTLINK_SSH"),
        (
            &["--ssh-key-password-prompt", "@login/open"],
            2,
            "--ssh-key-password-prompt: there is no",
        ),
        (&["@login/asks"], 255, "the password of you@asks is required, and there is no terminal"),
        (&["--sudo", "--use-sudo-password", "@local"], 2, "the password for sudo is required, and"),
    ] {
        let output = without_terminal(&[words, &["exec", "--", "ls"]].concat());
        let line = stderr(&output);
        assert_eq!((code(&output), line.lines().count()), (status, 1), "{line}");
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn many_targets_are_not_asked() {
    let terminal = on_terminal(&["@login", "exec", "--", "echo in"]);
    assert_eq!(terminal.wait_for_status(), 1);
    let shown = terminal.shown();
    for name in ["a", "b", "c"] {
        let error = format!(
            "hostlink: @login/{name}: the password of you@{name} is required, and several targets \
             are not asked one by one: --ssh-password-prompt asks once"
        );
        assert!(shown.replace("\r\n", "\n").contains(&error), "{shown:?}");
    }
    assert!(terminal.has_first_modes());
}

#[test]
fn a_prompt_appears_with_redirected_streams() {
    let line = format!("{LOGIN} @login/a exec --stdin - -- cat </dev/null 2>&1 | cat");
    let terminal = Terminal::start(Path::new("sh"), ["-c", &line], &[]);
    terminal.wait_for("you@a: ");
    terminal.type_in("wrong\r");
    terminal.wait_for("hostlink: @login/a: wrong password");
    assert_eq!(terminal.wait_for_status(), 0);
}

#[test]
fn a_question_that_is_broken_off_leaves_the_terminal_as_it_was() {
    let asks = &["@login/a", "exec", "--", "ls"][..];
    let flag = &["--ssh-password-prompt", "@login/tell", "exec", "--", "ls"][..];
    for words in [asks, flag] {
        let terminal = on_terminal(words);
        terminal.wait_for(": ");
        assert!(!terminal.has_first_modes(), "the control: there is no echo");
        let id = terminal.program().to_string();
        // Ctrl-C would end the test's shell, too.
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        assert_eq!(terminal.wait_for_status(), 130, "{words:?}");
        assert!(terminal.has_first_modes());
    }
}

#[test]
fn no_answer_is_an_error() {
    let terminal = on_terminal(&["@login/a", "exec", "--", "ls"]);
    terminal.wait_for("you@a: ");
    terminal.type_in("\x04");
    assert_eq!(terminal.wait_for_status(), 255);
    let shown = terminal.shown();
    assert!(shown.contains("the terminal gave no answer"), "{shown:?}");
    assert!(terminal.has_first_modes());
}
