//! How a login ends, is made again, and leaves nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostlink::{
    ConnectorArguments, Context, Error, ErrorKind, Link, StringCommand, builtin_registry,
};
use hostlink_tests::cli::{
    becomes_true, code, count_running, hostlink, send_signal, stderr, unique_seconds,
    wait_for_exit, wait_until,
};
use hostlink_tests::ssh_target::{Details, NO_HOME, SshTarget, Traces, said};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::unreachable::Blackhole;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Starts a command that does not end by itself, and waits until it runs.
async fn under_way(link: &Link, line: &str, seconds: &str) -> JoinHandle<Error> {
    let command = StringCommand::shell(format!("{line}; sleep {seconds}; :"));
    let link = link.clone();
    let running = tokio::spawn(async move {
        link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap_err()
    });
    let seconds = seconds.to_owned();
    let runs = move || becomes_true(|| count_running("sleep", &seconds) == 1);
    assert!(spawn_blocking(runs).await.unwrap(), "the control: it runs");
    running
}

#[tokio::test]
async fn a_link_that_was_cut_is_lost_within_its_interval() {
    let target = SshTarget::start(Sshd::builder()).with("ssh_server_alive_interval", 2);
    let link = target.connect().await;
    let running = under_way(&link, "echo before", &unique_seconds()).await;
    let cut = Blackhole::cut(target.sshd.address(), target.sshd.port());
    let begun = Instant::now();
    let error = running.await.unwrap();
    println!("noticed after {:.1?}", begun.elapsed());
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    assert_eq!(error.output().unwrap().stdout(), b"before\n");
    assert!(error.to_string().contains("no longer answers"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2) + SLACK, "{:?}", begun.elapsed());
    drop(cut);
    assert_eq!(said(&link, "echo again").await, "again\n");
    assert_eq!(target.sshd.logins(), 2);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_link_logs_in_again_on_its_next_use() {
    let first = SshTarget::start(Sshd::builder());
    let known_hosts = tempfile::NamedTempFile::new().unwrap();
    fs::copy(first.sshd.known_hosts(), known_hosts.path()).unwrap();
    let first = first.with("ssh_known_hosts_file", known_hosts.path().display().to_string());
    let traces = Traces::new();
    let link = first.connect_in(&traces.context()).await.unwrap();
    assert_eq!(said(&link, "echo 1").await, "1\n");
    first.sshd.kill_sessions();
    // A request just before the login's end may have been carried out.
    let is_master = |line: &String| line.starts_with("ssh ");
    let ended = || !traces.processes().iter().any(is_master);
    assert!(becomes_true_here(ended).await);
    // However many start together, they log in once.
    let again: JoinSet<_> = (0..20)
        .map(|_| {
            let link = link.clone();
            async move { said(&link, "echo 2").await }
        })
        .collect();
    assert_eq!(again.join_all().await, vec!["2\n"; 20]);
    assert_eq!(first.sshd.logins(), 2);

    let SshTarget { sshd, key, .. } = first;
    let port = sshd.port();
    drop(sshd);
    assert_eq!(link_error(&link).await.kind(), ErrorKind::Connect, "there is no listener");
    let second = Sshd::builder().port(port).config(NO_HOME).start();
    second.authorize(&key.public());
    fs::copy(second.known_hosts(), known_hosts.path()).unwrap();
    assert_eq!(said(&link, "echo 3").await, "3\n");
    assert_eq!(second.logins(), 1);
    link.disconnect().await.unwrap();
    assert_eq!(link_error(&link).await.kind(), ErrorKind::LinkLost, "it was closed");
}

/// Waits for a condition while the runtime continues.
async fn becomes_true_here(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

async fn link_error(link: &Link) -> Error {
    let command = StringCommand::shell(":");
    link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap_err()
}

/// Commands that wait for a channel too: there are eight.
#[tokio::test]
async fn commands_that_wait_for_a_login_share_its_failure() {
    let target = SshTarget::start(Sshd::builder()).with("ssh_connect_timeout", 3);
    let (traces, details) = (Traces::new(), Details::default());
    let context =
        Context { runtime_directory: Some(traces.path().to_owned()), ..details.context() };
    let link = target.connect_in(&context).await.unwrap();
    target.sshd.kill_sessions();
    let ended = || !traces.processes().iter().any(|line| line.starts_with("ssh "));
    assert!(becomes_true_here(ended).await);
    target.sshd.stop();
    let begun = Instant::now();
    let errors: JoinSet<_> = (0..30)
        .map(|_| {
            let link = link.clone();
            async move { link_error(&link).await }
        })
        .collect();
    let errors = errors.join_all().await;
    println!("30 commands failed after {:.1?}", begun.elapsed());
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(error.to_string().contains("no SSH banner came"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(3) + SLACK, "{:?}", begun.elapsed());
    assert_eq!(details.with("logging in again").len(), 1);
    // A later command tries again.
    target.sshd.cont();
    assert_eq!(said(&link, "echo again").await, "again\n");
    assert_eq!(details.with("logging in again").len(), 2);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_login_whose_socket_was_removed_is_made_again() {
    let (target, traces) = (SshTarget::start(Sshd::builder()), Traces::new());
    let link = target.connect_in(&traces.context()).await.unwrap();
    assert_eq!(said(&link, "echo 1").await, "1\n");
    let masters = || traces.processes().iter().filter(|line| line.starts_with("ssh ")).count();
    assert_eq!(masters(), 1);
    let mut find = Command::new("find");
    find.arg(traces.path()).args(["-type", "s", "-print", "-delete"]);
    let removed = find.output().unwrap().stdout;
    assert_eq!(removed.iter().filter(|byte| **byte == b'\n').count(), 1, "the control");
    let (begun, again) = (Instant::now(), said(&link, "echo 2"));
    let again = tokio::time::timeout(Duration::from_secs(60), again).await;
    println!("again after {:.1?}", begun.elapsed());
    assert_eq!(again.expect("it does not hang"), "2\n");
    assert!(begun.elapsed() < Duration::from_secs(4) + SLACK, "{:?}", begun.elapsed());
    assert_eq!((target.sshd.logins(), masters()), (2, 1));
    link.disconnect().await.unwrap();
    drop(link);
    assert!(becomes_true_here(|| traces.is_empty()).await);
}

#[tokio::test]
async fn a_command_whose_server_is_killed_is_not_run_again() {
    let target = SshTarget::start(Sshd::builder());
    let link = target.connect().await;
    let file = target.sshd.dir().join("runs").display().to_string();
    let arguments = ConnectorArguments::new().with_retries(2u32);
    let seconds = unique_seconds();
    let command = StringCommand::shell(format!("echo run >>{file}; sleep {seconds}; :"));
    let running = {
        let link = link.clone();
        tokio::spawn(async move { link.run_shell_command(&command, &arguments).await })
    };
    let counted = seconds.clone();
    let runs = move || becomes_true(|| count_running("sleep", &counted) == 1);
    assert!(spawn_blocking(runs).await.unwrap());
    target.sshd.kill_sessions();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    assert_eq!(said(&link, &format!("cat {file}")).await, "run\n");
    assert_eq!(target.sshd.logins(), 2);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn disconnecting_is_quick_and_can_be_said_twice() {
    let target = SshTarget::start(Sshd::builder());
    for dead in [false, true] {
        let link = target.connect().await;
        said(&link, ":").await;
        if dead {
            target.sshd.kill_sessions();
        }
        for _ in 0..2 {
            let begun = Instant::now();
            link.disconnect().await.unwrap();
            println!("dead: {dead}: {:.1?}", begun.elapsed());
            assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_hundred_hosts_are_disconnected_together() {
    let target = SshTarget::start(Sshd::builder().listen("0.0.0.0").max_startups("500:30:500"));
    let (registry, traces) = (Arc::new(builtin_registry()), Traces::new());
    let mut logins = JoinSet::new();
    for number in 1..=100 {
        let (registry, data, context) = (registry.clone(), target.data.clone(), traces.context());
        logins.spawn(async move {
            registry.connect(&format!("127.0.1.{number}"), &data, &context).await.unwrap()
        });
    }
    let links = logins.join_all().await;
    assert!(traces.processes().len() > 100, "the control: a master for each");
    let begun = Instant::now();
    let ends: JoinSet<_> =
        links.into_iter().map(|link| async move { link.disconnect().await }).collect();
    ends.join_all().await.into_iter().for_each(|ended| ended.unwrap());
    println!("100 hosts in {:.2?}", begun.elapsed());
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    drop(registry);
    wait_until("nothing is left", || traces.is_empty());
}

#[tokio::test]
async fn a_login_that_is_given_up_leaves_nothing() {
    let target = SshTarget::start(Sshd::builder());
    let (registry, traces) = (builtin_registry(), Traces::new());
    let connect =
        || async { registry.connect(&target.name(), &target.data, &traces.context()).await };
    let begun = Instant::now();
    let link = connect().await.unwrap();
    let whole = begun.elapsed();
    assert!(!traces.is_empty(), "the control");
    link.disconnect().await.unwrap();
    drop(link);
    let mut done = 0;
    for number in 0..40 {
        // From the first moment to a little after the last.
        let moment = whole.mul_f64(f64::from(number) / 16.0);
        if let Ok(link) = tokio::time::timeout(moment, connect()).await {
            drop(link.unwrap());
            done += 1;
        }
    }
    println!("{done} of 40 had logged in within up to {whole:.1?}");
    let empty = becomes_true_here(|| traces.is_empty()).await;
    assert!(empty, "{:?} {:?}", traces.files(), traces.processes());
}

/// Tells the child how to end, and where; then come the target's name and its data.
const CHILD: &str = "HOSTLINK_TEST_END";

/// A program with three links and a command on each, which then ends in some way.
#[tokio::test]
async fn a_program_that_ends_leaves_nothing() {
    if let Ok(told) = std::env::var(CHILD) {
        return be_the_program(&told).await;
    }
    let target = SshTarget::start(Sshd::builder());
    for end in ["exit", "return", "panic", "INT", "TERM", "HUP", "KILL"] {
        let traces = Traces::new();
        let data = target.data.iter().map(|(key, value)| match value {
            hostlink::Value::String(text) => format!("{key}={text}"),
            value => format!("{key}={value}"),
        });
        let data: Vec<String> = data.collect();
        let told = [end, &traces.path().display().to_string(), &target.name(), &data.join("\n")];
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "ssh_life::a_program_that_ends_leaves_nothing", "--nocapture"]);
        command.env(CHILD, told.join("\n"));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.take_while(|line| line != "ready").count() < 20);
        let there = traces.processes();
        assert!(there.iter().any(|line| line.contains("read -r")), "the watcher: {there:?}");
        assert!(there.iter().filter(|line| line.starts_with("ssh ")).count() >= 3, "{there:?}");
        assert_eq!(traces.files().len(), 1, "the control: its directory");
        match end {
            "exit" | "return" | "panic" => drop(child.stdin.take()),
            signal => send_signal(&child, signal),
        }
        wait_for_exit(&mut child);
        wait_until(end, || traces.is_empty());
    }
}

async fn be_the_program(told: &str) {
    let mut lines = told.split('\n');
    let mut next = || lines.next().unwrap();
    let (end, directory, name) = (next(), next(), next());
    let data = lines.map(|line| {
        let (key, value) = line.split_once('=').unwrap();
        (key, hostlink::Value::from(value))
    });
    let data: hostlink::Data = data.collect();
    let context = Context { runtime_directory: Some(directory.into()), ..Context::default() };
    let registry = builtin_registry();
    let mut links = Vec::new();
    for _ in 0..3 {
        let link = registry.connect(name, &data, &context).await.unwrap();
        let busy = link.clone();
        tokio::spawn(async move { said(&busy, "sleep 30").await });
        assert_eq!(said(&link, "echo here").await, "here\n");
        links.push(link);
    }
    println!("\nready");
    let _ = spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    match end {
        "exit" => std::process::exit(0),
        "panic" => panic!("as it was told"),
        _ => {}
    }
}

/// Starts the command with its own runtime directory, and a command that runs on the target.
fn start_command(target: &SshTarget, traces: &Traces, seconds: &str) -> Child {
    let mut words = target.words();
    words.extend(["exec", "--", &format!("sleep {seconds}; :")].map(String::from));
    let mut command = hostlink(words);
    let child = command.env("TMPDIR", traces.path()).spawn().unwrap();
    wait_until("the command runs", || count_running("sleep", seconds) == 1);
    assert!(traces.processes().len() >= 2, "the control: {:?}", traces.processes());
    assert_eq!(traces.files().len(), 1, "the control");
    child
}

#[test]
fn the_command_leaves_nothing_after_a_signal() {
    let target = SshTarget::start(Sshd::builder());
    for (signal, expected) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (traces, seconds) = (Traces::new(), unique_seconds());
        let mut child = start_command(&target, &traces, &seconds);
        send_signal(&child, signal);
        wait_for_exit(&mut child);
        let output = child.wait_with_output().unwrap();
        assert_eq!((code(&output), stderr(&output)), (expected, String::new()));
        // The kill was confirmed, or the command would have reported otherwise.
        wait_until("it is ended there", || count_running("sleep", &seconds) == 0);
        wait_until("nothing is left here", || traces.is_empty());
    }
}

#[test]
fn the_command_leaves_nothing_after_its_own_death() {
    let target = SshTarget::start(Sshd::builder());
    let (traces, seconds) = (Traces::new(), unique_seconds());
    let mut child = start_command(&target, &traces, &seconds);
    send_signal(&child, "KILL");
    wait_for_exit(&mut child);
    // The remote command lives on: sshd ends no command without a terminal.
    wait_until("nothing is left here", || traces.is_empty());
}
