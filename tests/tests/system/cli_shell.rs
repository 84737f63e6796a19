//! The command end to end on a real terminal: `shell`.

use std::path::Path;
use std::process::Command;

use hostlink_tests::binary;
use hostlink_tests::cli::{code, count_running, hostlink, run, unique_seconds, wait_until};
use hostlink_tests::terminal::Terminal;

fn start(words: &[&str]) -> Terminal {
    Terminal::start(&binary(), words, &[])
}

/// Starts a shell, and waits for its first prompt.
fn shell() -> Terminal {
    let terminal = start(&["@local", "shell"]);
    terminal.wait_until_taken_over();
    // /etc/profile may set another prompt. The echo of this line shows the quotes.
    terminal.type_in("PS1='re''ady '\r");
    terminal.wait_for("ready ");
    terminal
}

fn signal(terminal: &Terminal, signal: &str) {
    let id = terminal.program().to_string();
    assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
}

/// Types a line that sleeps in the foreground, and in the background, ignoring polite signals.
fn start_sleeping(terminal: &Terminal, seconds: &str) {
    terminal.type_in(&format!("(trap '' HUP INT TERM; exec sleep {seconds}) & sleep {seconds}\r"));
    wait_until("the sleeps run", || count_running("sleep", seconds) == 2);
}

fn nothing_is_left(seconds: &str) {
    wait_until("nothing is left running", || count_running("sleep", seconds) == 0);
}

#[test]
fn a_shell_runs_what_is_typed_and_gives_its_exit_code() {
    let terminal = shell();
    assert!(!terminal.has_first_modes(), "the control: the terminal is raw meanwhile");
    terminal.type_in("echo $((6 * 7))-$TERM; test -t 0 && tty\r");
    let shown = terminal.wait_for("42-xterm");
    assert!(!shown.contains("HL"), "the announcement is shown: {shown:?}");
    terminal.type_in("exit 7\r");
    assert_eq!(terminal.wait_for_status(), 7);
    assert!(terminal.has_first_modes());
}

#[test]
fn the_shell_is_the_users_login_shell() {
    let variables = [("SHELL", "/bin/bash"), ("TERM", "dumb")];
    let terminal = Terminal::start(&binary(), ["@local", "shell"], &variables);
    terminal.wait_until_taken_over();
    terminal.type_in("shopt -q login_shell && echo login-$0; exit\r");
    terminal.wait_for("login-/bin/bash");
    assert_eq!(terminal.wait_for_status(), 0);
}

#[test]
fn as_another_user_it_is_their_shell() {
    let terminal = start(&["--sudo", "--sudo-user", "hostlink-fish", "@local", "shell"]);
    terminal.wait_until_taken_over();
    terminal.type_in("echo $FISH_VERSION-(id -un)-end; exit 3\r");
    let shown = terminal.wait_for("-hostlink-fish-end");
    assert!(!shown.contains("\n-hostlink-fish-end"), "it is no fish: {shown:?}");
    assert_eq!(terminal.wait_for_status(), 3);
}

#[test]
fn a_command_has_the_terminal_to_itself() {
    for expected in [0, 7, 255] {
        let line = format!("read -r x; echo got-$x; exit {expected}");
        let terminal = start(&["@local", "shell", "--", &line]);
        terminal.wait_until_taken_over();
        terminal.type_in("typed\r");
        terminal.wait_for("got-typed");
        assert_eq!(terminal.wait_for_status(), expected);
    }
}

#[test]
fn a_short_command_shows_all_output() {
    for _ in 0..5 {
        let terminal = start(&["@local", "shell", "--", "seq 1 5000; exit 7"]);
        assert_eq!(terminal.wait_for_status(), 7);
        let shown = terminal.shown();
        assert!(shown.contains("\r\n4999\r\n5000\r\n"), "{} bytes", shown.len());
        assert!(terminal.has_first_modes());
    }
}

#[test]
fn the_window_s_size_follows() {
    let terminal = shell();
    terminal.type_in("stty size\r");
    terminal.wait_for("\n24 80\r");
    terminal.resize(30, 100);
    // The shell answers once it has the new size, and never otherwise.
    terminal.type_in("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.1; done; echo ar''rived\r");
    terminal.wait_for("arrived");
    terminal.type_in("exit\r");
    assert_eq!(terminal.wait_for_status(), 0);
}

#[test]
fn ctrl_c_is_the_target_s() {
    let seconds = unique_seconds();
    let terminal = shell();
    terminal.type_in(&format!("sleep {seconds}\r"));
    wait_until("the sleep runs", || count_running("sleep", &seconds) == 1);
    terminal.type_in("\x03");
    nothing_is_left(&seconds);
    terminal.type_in("echo $?-still-''here\r");
    terminal.wait_for("130-still-here");
    terminal.type_in("exit\r");
    assert_eq!(terminal.wait_for_status(), 0);
}

#[test]
fn an_escape_leaves_and_ends_everything() {
    let seconds = unique_seconds();
    let terminal = shell();
    start_sleeping(&terminal, &seconds);
    terminal.type_in("\r~.");
    assert_eq!(terminal.wait_for_status(), 255);
    let shown = terminal.shown();
    assert!(shown.contains("hostlink: @local: left with ~."), "{shown:?}");
    assert!(terminal.has_first_modes());
    nothing_is_left(&seconds);
}

#[test]
fn escapes_help_and_can_be_sent() {
    let terminal = shell();
    terminal.type_in("~?");
    terminal.wait_for("~.  end the connection");
    terminal.type_in("echo x~.; cat\r");
    terminal.wait_for("\nx~.\r");
    terminal.type_in("~~sent\r");
    // Once as the echo, and once from cat.
    let shown = terminal.wait_for_count("~sent\r\n", 2);
    assert!(!shown.contains("~~sent"), "{shown:?}");
    terminal.type_in("\x04exit\r");
    assert_eq!(terminal.wait_for_status(), 0);
}

#[test]
fn a_signal_ends_everything_and_puts_the_modes_back() {
    for (name, expected) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let seconds = unique_seconds();
        let terminal = shell();
        start_sleeping(&terminal, &seconds);
        assert!(!terminal.has_first_modes(), "the control");
        signal(&terminal, name);
        assert_eq!(terminal.wait_for_status(), expected, "{name}");
        assert!(terminal.has_first_modes(), "{name}");
        nothing_is_left(&seconds);
    }
}

#[test]
fn a_terminal_that_is_closed_ends_everything() {
    let seconds = unique_seconds();
    let terminal = shell();
    start_sleeping(&terminal, &seconds);
    drop(terminal);
    nothing_is_left(&seconds);
}

#[test]
fn what_is_left_in_the_background_does_not_hold_the_session() {
    let seconds = unique_seconds();
    let terminal = shell();
    terminal.type_in(&format!("(trap '' HUP; exec sleep {seconds}) & echo pi''d-$!.\r"));
    terminal.wait_for("\npid-");
    // The whole line has arrived once the next prompt is there.
    let shown = terminal.wait_for_count("ready ", 2);
    wait_until("the sleep runs", || count_running("sleep", &seconds) == 1);
    terminal.type_in("exit 5\r");
    assert_eq!(terminal.wait_for_status(), 5);
    // It is the user's own, as under exec.
    assert_eq!(count_running("sleep", &seconds), 1);
    let number = shown.rsplit("pid-").next().unwrap().split('.').next().unwrap();
    assert!(Command::new("kill").arg(number).status().unwrap().success());
    nothing_is_left(&seconds);
}

#[test]
fn a_failure_puts_the_modes_back_and_is_one_line() {
    let terminal = start(&["--su-user", "nobody-here", "@local", "shell"]);
    assert_eq!(terminal.wait_for_status(), 1);
    let shown = terminal.shown();
    assert!(shown.contains("hostlink: @local: the command was not started"), "{shown:?}");
    assert!(terminal.has_first_modes());
}

#[test]
fn a_time_limit_holds() {
    let terminal = start(&["@local", "shell", "--timeout", "1"]);
    assert_eq!(terminal.wait_for_status(), 124);
    assert!(terminal.has_first_modes());
}

#[test]
fn standard_input_stays_blocking() {
    let line = format!("{} @local shell -- true; cat", binary().display());
    let terminal = Terminal::start(Path::new("sh"), ["-c", &line], &[]);
    wait_until("cat waits for what is typed", || {
        let flags = |id: u32| std::fs::read_to_string(format!("/proc/{id}/fdinfo/0"));
        let comm = |id: u32| std::fs::read_to_string(format!("/proc/{id}/comm"));
        let id = terminal.program();
        let child = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let ids: Vec<u32> =
            child.unwrap_or_default().split(' ').filter_map(|id| id.parse().ok()).collect();
        ids.into_iter().any(|id| {
            comm(id).is_ok_and(|name| name == "cat\n")
                && flags(id).is_ok_and(|info| {
                    let octal = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
                    // O_NONBLOCK (fcntl(2)).
                    u32::from_str_radix(octal.trim(), 8).unwrap() & 0o4000 == 0
                })
        })
    });
    terminal.type_in("read\r");
    terminal.wait_for_count("read\r\n", 2);
}

#[test]
fn it_needs_a_terminal_and_one_target() {
    let output = run(hostlink(["@local", "shell"]));
    assert_eq!(code(&output), 2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("hostlink: shell needs a terminal on standard input"), "{said}");
    let multi = Path::new(env!("CARGO_BIN_EXE_hostlink-multi"));
    let terminal = Terminal::start(multi, ["@multi", "shell"], &[]);
    assert_eq!(terminal.wait_for_status(), 2);
    terminal.wait_for("hostlink: shell is for one target, but TARGETS names 2");
}
