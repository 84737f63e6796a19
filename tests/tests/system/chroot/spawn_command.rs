//! `Link::spawn_command`: what a connection on top of a link gets.

use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use hostlink::connector::{Process, SpawnOptions};
use hostlink::run::Stream;
use hostlink::{ConnectorArguments, Data, ErrorKind, ExitStatus, Link, Result, StringCommand};
use hostlink_tests::cli::{count_running, unique_seconds, wait_until};
use hostlink_tests::processes::processes;
use tokio::io::AsyncWriteExt;

use crate::chroot::scene::{PASSWORD, Somebody, connect, plain};

async fn spawn(link: &Link, line: &str, arguments: &ConnectorArguments) -> Result<Process> {
    let (command, options) = (StringCommand::shell(line), SpawnOptions::default());
    loop {
        match link.spawn_command(&command, arguments, &options).await {
            // A command that was just dropped still has its channel.
            Err(error) if error.kind() == ErrorKind::Busy => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            spawned => return spawned,
        }
    }
}

/// Writes the input and reads both outputs to their ends.
async fn serve(process: Process, input: &[u8]) -> (Vec<u8>, Vec<u8>, ExitStatus) {
    let Process { stdin, mut output, exit, control: _control, .. } = process;
    let mut stdin = stdin.unwrap();
    let writing = async move {
        stdin.write_all(input).await.unwrap();
        stdin.flush().await.unwrap();
        drop(stdin);
    };
    let reading = async {
        let mut both = [Vec::new(), Vec::new()];
        while let Some(chunk) = output.next().await {
            let chunk = chunk.unwrap();
            both[usize::from(chunk.stream == Stream::Stderr)].extend_from_slice(&chunk.bytes);
        }
        both
    };
    let ((), [stdout, stderr]) = tokio::join!(writing, reading);
    (stdout, stderr, exit.await.unwrap())
}

async fn links() -> (Somebody, [Link; 2]) {
    let somebody = Somebody::asked();
    let local = connect("@local", &Data::new()).await.unwrap();
    let ssh = somebody.ssh.connect().await;
    (somebody, [local, ssh])
}

fn with_password(password: &str) -> ConnectorArguments {
    plain().with_sudo(true).with_sudo_password(password.to_owned())
}

#[tokio::test]
async fn every_byte_of_both_outputs_is_the_command_s_own() {
    let (_somebody, links) = links().await;
    let input: Vec<u8> =
        (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for link in &links {
        let line = r"printf '\000\377\r\nfirst' >&2; printf '\377\000'; cat; exit 7";
        let process = spawn(link, line, &plain()).await.unwrap();
        let (stdout, stderr, status) = serve(process, &input).await;
        assert_eq!(stderr, b"\0\xff\r\nfirst");
        assert!(stdout == [b"\xff\0", &*input].concat(), "{} bytes", stdout.len());
        assert_eq!(status, ExitStatus::Code(7));
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_password_answers_the_prompt_and_the_input_follows() {
    let (_somebody, [_, link]) = links().await;
    let process = spawn(&link, "id -u; cat; echo err >&2", &with_password(PASSWORD)).await.unwrap();
    let (stdout, stderr, status) = serve(process, b"input\0\xff").await;
    assert_eq!((&*stdout, &*stderr), (&b"0\ninput\0\xff"[..], &b"err\n"[..]));
    assert_eq!(status, ExitStatus::Code(0));
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_password_that_is_refused_leaves_nothing() {
    let (somebody, [_, link]) = links().await;
    let seconds = unique_seconds();
    let line = format!("sleep {seconds}");
    let error = spawn(&link, &line, &with_password("hunter2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    link.disconnect().await.unwrap();
    // sudo's own process runs as root, so it is found by its parent, which has the user's name in
    // its arguments.
    let mark = format!("sleep {seconds}");
    let left = || {
        processes().iter().any(|it| {
            let line = std::fs::read(format!("/proc/{}/cmdline", it.pid)).unwrap_or_default();
            String::from_utf8_lossy(&line).replace('\0', " ").contains(&mark)
        })
    };
    wait_until("sudo has ended", || !left());
    drop(somebody);
}

#[tokio::test]
async fn a_long_command_goes_before_the_input() {
    let (_somebody, links) = links().await;
    for (link, arguments) in links.iter().zip([plain(), with_password(PASSWORD)]) {
        let text = "it's ".repeat(60_000);
        let line = format!("printf %s \"{text}\" | wc -c; cat");
        let process = spawn(link, &line, &arguments).await.unwrap();
        let (stdout, stderr, _) = serve(process, b"input").await;
        assert_eq!(String::from_utf8(stdout).unwrap().replace('\n', ""), "300000input");
        assert!(stderr.is_empty());
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing() {
    let (_somebody, links) = links().await;
    for (link, arguments) in links.iter().zip([plain(), with_password(PASSWORD)]) {
        let seconds = unique_seconds();
        let line = format!("sleep {seconds}");
        let mut given_up = 0;
        // The first poll starts the command. The following ones must cope with an unfinished start.
        for looks in 1..40 {
            let mut start = Box::pin(spawn(link, &line, &arguments));
            let mut looked = 0;
            let process = loop {
                if let Poll::Ready(process) = futures::poll!(&mut start) {
                    break Some(process.unwrap());
                }
                looked += 1;
                if looked == looks {
                    break None;
                }
                tokio::time::sleep(Duration::from_micros(500)).await;
            };
            match process {
                Some(process) => drop(process.control.kill()),
                None => given_up += 1,
            }
        }
        assert!(given_up > 0);
        link.disconnect().await.unwrap();
        wait_until("nothing is left", || count_running("sleep", &seconds) == 0);
    }
}

#[tokio::test]
async fn its_control_ends_what_only_the_link_can_end() {
    let (_somebody, links) = links().await;
    for (link, arguments) in links.iter().zip([plain(), with_password(PASSWORD)]) {
        let seconds = unique_seconds();
        let line = format!("sleep {seconds} & sleep {seconds}");
        let process = spawn(link, &line, &arguments).await.unwrap();
        wait_until("it runs", || count_running("sleep", &seconds) == 2);
        process.control.kill();
        // The link is closed after the kill.
        link.disconnect().await.unwrap();
        wait_until("nothing is left", || count_running("sleep", &seconds) == 0);
    }
}
