//! The command end to end: invalid input is one line on standard error and exit status 2, before
//! anything starts.

use std::path::Path;

use hostlink_tests::cli::{code, hostlink, run, stderr, stdout};

/// Runs invalid arguments, and checks the message and that the command has not run.
fn refused(words: &[&str], says: &str) {
    let output = run(hostlink(words));
    let line = stderr(&output);
    assert_eq!(code(&output), 2, "{words:?}: {line}");
    assert_eq!(stdout(&output), "", "{words:?}");
    assert!(line.starts_with("hostlink: ") && line.ends_with('\n'), "{words:?}: {line:?}");
    assert_eq!(line.lines().count(), 1, "{words:?}: {line}");
    assert!(line.contains(says), "{words:?}: {line}");
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn targets_that_are_none() {
    for (targets, says) in [
        ("", "TARGETS is empty"),
        (",", "TARGETS is empty"),
        ("@local,,", "an empty name"),
        ("@nowhere", "there is no connector @nowhere; there are: @local"),
        ("@local/x", "@local takes no argument"),
        ("@local,@nowhere", "@nowhere"),
        ("schema", "unexpected argument"),
        ("help", "--help"),
    ] {
        refused(&[targets, "exec", "--", "touch", "hunter2"], says);
    }
    refused(&[], "no TARGETS");
    refused(&["exec", "--", "ls"], "no TARGETS");
    refused(&["connectors", "nowhere"], "there is no connector @nowhere");
}

#[test]
fn commands_and_options_that_are_none() {
    for (words, says) in [
        (&["@local"][..], "exec, put, get, rsync, shell, forward or inventory"),
        (&["@local", "frobnicate"], "'frobnicate'"),
        (&["@local", "exec"], "no COMMAND"),
        (&["@local", "exec", "--"], "no COMMAND"),
        (&["@local", "exec", "--", ""], "no COMMAND"),
        (&["@local", "exec", "ls"], "write COMMAND after --"),
        (&["@local", "exec", "--sudp", "--", "ls"], "'--sudo'"),
        (&["@local", "exec", "--chdir"], "--chdir <TEXT>"),
        (&["@local", "exec", "--parallel", "0", "--", "ls"], "--parallel: \"0\""),
    ] {
        refused(words, says);
    }
}

#[test]
fn values_that_do_not_fit() {
    let values = [
        ("--timeout", "abc", "--timeout: \"abc\" is not a number of seconds"),
        ("--connect-timeout", "x", "--connect-timeout: \"x\" is not"),
        ("--success-exit-codes", "a", "--success-exit-codes: "),
        ("--retries", "1.5", "--retries: "),
        ("--retry-until", "", "--retry-until: "),
        ("--chdir", "", "--chdir: "),
        ("--env", "hunter2", "--env: write NAME=VALUE"),
        ("--env", "A B=1", "--env: \"A B\""),
        ("--data", "hunter2", "--data: write KEY=VALUE"),
        ("--data", "x={hunter2", "--data x: the value is not valid JSON"),
        ("--data", "_timeout=abc", "_timeout: \"abc\""),
        ("--data", "_sudo_usr=abc", "did you mean _sudo_user?"),
        ("--data", "_sudo_password_file=/nowhere", "cannot read the password file /nowhere"),
        ("--data", "_sudo_password_env=NOWHERE", "_sudo_password_env: the variable NOWHERE"),
        ("--data", "_sudo_password_command=exit 3", "_sudo_password_command: the command failed"),
        (
            "--data",
            "ssh_password_command=:",
            "what the command prints has nothing on its first line",
        ),
        ("--sudo-user", "root", "--sudo-user: has no effect without --sudo"),
        ("--doas-user", "root", "--doas-user: has no effect without --doas"),
        ("--dzdo-user", "root", "--dzdo-user: has no effect without --dzdo"),
        ("--sudo-group", "adm", "--sudo-group: has no effect without --sudo"),
        ("--su-user", "ro\not", "--su-user: \"ro\\not\" is not a valid user name"),
        (
            "--su-password-file",
            "/etc/hostname",
            "--su-password-file: has no effect without --su-user",
        ),
        ("--data", "_su_password=hunter2", "_su_password: has no effect without _su_user"),
        ("--data", "_use_sudo_login=true", "_use_sudo_login: has no effect without _sudo"),
        ("--data", "_preserve_su_env=true", "_preserve_su_env: has no effect without _su_user"),
        ("--su-shell", "sh", "--su-shell: has no effect without --su-user"),
        (
            "--sudo-password-file",
            "/etc/hostname",
            "--sudo-password-file: has no effect without --sudo",
        ),
        ("--sudo-password-file", "/nowhere", "cannot read the password file /nowhere"),
        ("--su-password-file", "/dev/null", "nothing on its first line"),
        ("--stdin", "/nowhere", "cannot read /nowhere: No such file"),
        ("--stdin", "/", "/ is a directory"),
    ];
    for (option, value, says) in values {
        refused(&["@local", "exec", option, value, "--", "ls"], says);
    }
}

#[test]
fn what_belongs_to_a_privilege_tool_that_is_not_asked_for() {
    for (flag, tool) in [
        ("--use-sudo-password", "--sudo"),
        ("--same-sudo-password", "--sudo"),
        ("--use-sudo-login", "--sudo"),
        ("--preserve-sudo-env", "--sudo"),
        ("--use-su-login", "--su-user"),
        ("--preserve-su-env", "--su-user"),
    ] {
        let says = format!("{flag}: has no effect without {tool}");
        refused(&["@local", "exec", flag, "--", "id"], &says);
        refused(&["@local", "get", flag, "/etc/passwd", "-"], &says);
    }
    // A password in the environment applies to any tool that asks, and data may switch off a tool
    // with all its keys.
    let words = ["--data", "_sudo=false", "--data", "_use_sudo_login=true", "@local"];
    let mut command = hostlink(words.into_iter().chain(["exec", "--", "echo", "ran"]));
    command.env("HOSTLINK_SUDO_PASSWORD", "hunter2");
    let output = run(command);
    assert_eq!((code(&output), &*stdout(&output)), (0, "ran\n"), "{}", stderr(&output));
}

#[test]
fn files_that_cannot_be_moved() {
    for (words, says) in [
        (&["put", "/nowhere", "x"][..], "cannot read /nowhere: No such file"),
        (&["put", "/usr", "x"], "/usr is a directory: put it with -r"),
        (&["put", "-", "/usr"], "/usr is a directory"),
        (&["put", "-", "new/"], "new/ is a directory: name the file"),
        (&["get", "/usr", "x"], "/usr is a directory: get it with -r"),
        (&["get", "/usr", "-"], "/usr is a directory"),
        (&["put", "-r", "/etc/passwd", "x"], "/etc/passwd is not a directory"),
        (&["put", "-r", "-", "x"], "standard input is not a directory"),
        (&["put", "/etc/passwd", "-"], "DEST is on the target"),
        (&["put", "/etc/passwd", ""], "DEST is empty"),
        (&["put", "/etc/passwd"], "<DEST>"),
        (&["put", "--mode", "u+x", "/etc/passwd", "x"], "--mode: \"u+x\""),
        (&["put", "--retries", "1", "/etc/passwd", "x"], "--retries"),
        (&["get", "/etc/passwd", "/nowhere/"], "there is no directory /nowhere"),
        (&["get", "/etc/passwd", "/nowhere/x"], "there is no directory /nowhere"),
        (&["get", "-r", "/etc", "-"], "standard output"),
        (&["--json", "get", "/etc/passwd", "-"], "--json"),
    ] {
        refused(&[&["@local"], words].concat(), says);
    }
    refused(&["--retries", "1", "@local", "put", "/etc/passwd", "x"], "--retries does not apply");
}

#[test]
fn sessions_and_forwards_that_cannot_be() {
    for (words, says) in [
        (&["shell"][..], "shell needs a terminal on standard input"),
        (&["--json", "shell"], "--json does not apply to shell"),
        (&["shell", "--", ""], "no COMMAND"),
        (&["shell", "ls"], "unexpected argument 'ls'"),
        (&["forward"], "nothing to forward: write -L, -R or -D"),
        (&["forward", "-L", "80:web"], "-L \"80:web\" is not [BIND:]PORT:HOST:PORT"),
        (&["forward", "-D", "80:web:80"], "-D \"80:web:80\" is not"),
        (&["forward", "-D", "1080", "--json"], "--json does not apply to forward"),
        (&["forward", "-D", "1080"], "this connection forwards no ports"),
    ] {
        refused(&[&["@local"], words].concat(), says);
    }
    for option in [&["--sudo"][..], &["--timeout", "1"]] {
        let words = [option, &["@local", "forward", "-D", "1080"]].concat();
        refused(&words, "does not apply to forward");
    }
    refused(&["--retries", "1", "@local", "shell"], "--retries does not apply to shell");
}

#[test]
fn an_unreadable_source_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    // Root can read everything, but not what does not exist.
    let path = directory.path().join("dangling");
    std::os::unix::fs::symlink("/nowhere", &path).unwrap();
    refused(&["@local", "put", path.to_str().unwrap(), "x"], "cannot read");
}

#[test]
fn nothing_starts_on_any_target_if_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark").display().to_string();
    let touch = |targets: &str| run(hostlink([targets, "exec", "--", "touch", &mark]));
    assert_eq!(code(&touch("@local,@nowhere")), 2);
    assert!(!Path::new(&mark).exists());
    assert_eq!(code(&touch("@local")), 0, "the control");
    assert!(Path::new(&mark).exists());
}
