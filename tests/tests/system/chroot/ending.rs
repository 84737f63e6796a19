//! Killed commands leave no process: also in a root without /proc, and in one that was entered with
//! sudo.

use std::process::Command;
use std::time::Duration;

use hostlink::run::TerminalSize;
use hostlink::{Data, ErrorKind, Link, StringCommand};
use hostlink_tests::chroot::{Root, with_mounts};
use hostlink_tests::cli::{count_running, send_signal, unique_seconds, wait_for_exit, wait_until};

use crate::chroot::scene::{Somebody, connect, enter, plain, run};

/// Sleeps in the foreground, and twice in the background, ignoring polite signals.
fn sleeping(seconds: &str) -> String {
    format!("(trap '' HUP INT TERM; exec sleep {seconds}) & (sleep {seconds} &) ; sleep {seconds}")
}

const SLEEPS: usize = 3;

/// Returns every kind of link into the root, and keeps the far ends alive.
async fn ways_in(root: &Root, somebody: &[Somebody]) -> Vec<Link> {
    let mut links = vec![enter(root).await];
    links.push(connect(&root.target(), &with_mounts()).await.unwrap());
    for somebody in somebody {
        links.push(somebody.enter(root).await);
    }
    links
}

fn users() -> [Somebody; 3] {
    [Somebody::trusted(), Somebody::trusted_without_pty(), Somebody::asked()]
}

fn gone(seconds: &str) {
    wait_until("nothing is left running", || count_running("sleep", seconds) == 0);
}

async fn running(seconds: &str) {
    let seconds = seconds.to_owned();
    let waiting = tokio::task::spawn_blocking(move || {
        wait_until("all of it runs", || count_running("sleep", &seconds) == SLEEPS);
    });
    waiting.await.unwrap();
}

/// The control of all others: a process in a root is found, and lives until it is killed.
#[tokio::test]
async fn a_process_that_is_planted_in_a_root_is_found() {
    let root = Root::busybox();
    let seconds = unique_seconds();
    let mut planted =
        Command::new("chroot").arg(root.dir()).args(["sleep", &seconds]).spawn().unwrap();
    wait_until("it is found", || count_running("sleep", &seconds) == 1);
    let link = enter(&root).await;
    run(&link, ":", &plain()).await.unwrap();
    link.disconnect().await.unwrap();
    assert_eq!(count_running("sleep", &seconds), 1);
    planted.kill().unwrap();
    planted.wait().unwrap();
    gone(&seconds);
}

#[tokio::test]
async fn a_time_out_ends_everything_and_says_so() {
    let (root, users) = (Root::debian(), users());
    for link in ways_in(&root, &users).await {
        for terminal in [false, true] {
            let seconds = unique_seconds();
            let arguments = plain().with_timeout(Duration::from_secs(2)).with_get_pty(terminal);
            let error = run(&link, &sleeping(&seconds), &arguments).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.kill_confirmed(), Some(true), "{link}, terminal: {terminal}");
            gone(&seconds);
        }
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_command_is_ended_although_the_link_is_closed() {
    let (root, users) = (Root::debian(), users());
    for link in ways_in(&root, &users).await {
        let seconds = unique_seconds();
        let (line, arguments) = (sleeping(&seconds), plain());
        tokio::select! {
            ended = run(&link, &line, &arguments) => panic!("it ended: {ended:?}"),
            () = running(&seconds) => {}
        }
        link.disconnect().await.unwrap();
        gone(&seconds);
    }
}

#[tokio::test]
async fn a_dropped_start_leaves_nothing() {
    let (root, users) = (Root::debian(), users());
    for link in ways_in(&root, &users).await {
        let seconds = unique_seconds();
        let (line, arguments) = (sleeping(&seconds), plain());
        for moment in 0..12 {
            let start = tokio::time::timeout(
                Duration::from_millis(moment * 4),
                run(&link, &line, &arguments),
            );
            assert!(start.await.is_err());
        }
        link.disconnect().await.unwrap();
        gone(&seconds);
    }
}

#[tokio::test]
async fn a_command_of_another_user_inside_is_ended_where_there_is_no_proc() {
    let (root, users) = (Root::busybox(), users());
    for somebody in &users {
        let link = somebody.enter(&root).await;
        let seconds = unique_seconds();
        let arguments = plain().with_su_user("insider").with_timeout(Duration::from_secs(2));
        let error = run(&link, &sleeping(&seconds), &arguments).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        gone(&seconds);
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_is_dropped_leaves_no_job() {
    let (root, users) = (Root::debian(), users());
    for link in ways_in(&root, &users).await {
        let seconds = unique_seconds();
        // With job control, each is in its own process group.
        let line = format!("set -m; {}", sleeping(&seconds));
        let command = StringCommand::shell(line);
        let session =
            link.open_terminal(&command, &plain(), TerminalSize::default()).await.unwrap();
        running(&seconds).await;
        drop(session);
        link.disconnect().await.unwrap();
        gone(&seconds);
    }
}

#[test]
fn a_signal_to_the_command_line_ends_everything() {
    let (root, somebody) = (Root::busybox(), Somebody::trusted());
    for (name, status) in [("INT", 130), ("TERM", 143)] {
        let seconds = unique_seconds();
        let line = sleeping(&seconds);
        let mut child = somebody.hostlink(&root, &["exec", "--", &line]).spawn().unwrap();
        wait_until("all of it runs", || count_running("sleep", &seconds) == SLEEPS);
        send_signal(&child, name);
        assert_eq!(wait_for_exit(&mut child).code(), Some(status));
        gone(&seconds);
    }
}

#[tokio::test]
async fn a_deliberate_background_process_lives() {
    let root = Root::busybox();
    let link = connect(&root.target(), &Data::new()).await.unwrap();
    let seconds = unique_seconds();
    let line = format!("sleep {seconds} >/dev/null 2>&1 </dev/null & echo $!");
    let output = run(&link, &line, &plain()).await.unwrap();
    let pid = output.stdout_lines().concat();
    wait_until("it lives", || count_running("sleep", &seconds) == 1);
    link.disconnect().await.unwrap();
    assert_eq!(count_running("sleep", &seconds), 1);
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    gone(&seconds);
}
