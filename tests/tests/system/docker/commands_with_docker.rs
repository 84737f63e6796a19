//! Commands in an existing container.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use hostlink::run::Stdin;
use hostlink::{ConnectorArguments, ErrorKind, StringCommand};
use hostlink_tests::cli::{self, becomes_true};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::docker_target::{DockerTarget, ran};
use tokio::task::JoinSet;

/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(10);

#[tokio::test]
async fn outputs_are_apart_and_every_exit_code_arrives() {
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start(image);
        let link = DockerTarget::new(container.name()).connect().await;
        for code in [0, 1, 2, 126, 127, 128, 137, 143, 255] {
            let output = ran(&link, &format!("echo out; echo err >&2; exit {code}")).await;
            assert_eq!(output.exit_code(), Some(code), "{image}");
            assert_eq!((output.stdout(), output.stderr()), (b"out\n".into(), b"err\n".into()));
        }
        // A command that is killed from outside gives 137 as well, and the link is not lost.
        let output = ran(&link, "sh -c 'kill -KILL $$'; exit $?").await;
        assert_eq!(output.exit_code(), Some(137));
        link.disconnect().await.unwrap();
        assert_eq!(container.shell("echo still there"), "still there\n");
    }
}

#[tokio::test]
async fn input_of_100_mib_arrives_whole() {
    const SIZE: usize = 100 * 1024 * 1024;
    let container = Container::start(DEBIAN);
    let link = DockerTarget::new(container.name()).connect().await;
    let input: Vec<u8> =
        (0..SIZE as u32 / 4).flat_map(|it| it.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
    let sum = cli::command(Path::new("sha256sum"), ["-"]);
    let expected = cli::stdout(&cli::run_with_input(sum, &input));
    let arguments = ConnectorArguments::new().with_stdin(Stdin::from(input));
    let command = StringCommand::shell("cat | sha256sum");
    let begun = Instant::now();
    let output = link.run_shell_command(&command, &arguments).await.unwrap();
    println!("{:.1?}", begun.elapsed());
    assert_eq!(String::from_utf8(output.stdout()).unwrap(), expected);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_hundred_commands_run_concurrently() {
    let container = Container::start(BUSYBOX);
    let link = DockerTarget::new(container.name()).connect().await;
    let begun = Instant::now();
    let all: JoinSet<_> = (0..100)
        .map(|number| {
            let link = link.clone();
            async move {
                let output = ran(&link, &format!("echo {number}; exit {number}")).await;
                (output.exit_code(), output.stdout())
                    == (Some(number), format!("{number}\n").into())
            }
        })
        .collect();
    assert_eq!(all.join_all().await, vec![true; 100]);
    println!("100 commands: {:.1?}", begun.elapsed());
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_command_that_takes_too_long_leaves_no_process() {
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start(image);
        let link = DockerTarget::new(container.name()).connect().await;
        let before = container.shell("ls -d /proc/[0-9]* | wc -l");
        let command = StringCommand::shell("echo before; sleep 4242 & sleep 4243");
        let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(1));
        let begun = Instant::now();
        let error = link.run_shell_command(&command, &arguments).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.kill_confirmed()),
            (ErrorKind::Timeout, Some(true)),
            "{error}"
        );
        assert_eq!(error.output().unwrap().stdout(), b"before\n");
        assert!(begun.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", begun.elapsed());
        let left = || container.shell("ls -d /proc/[0-9]* | wc -l") == before;
        // The container's first process reaps them in its own time.
        assert!(becomes_true(left), "{image}: {}", container.shell("ps"));
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_command_leaves_running_does_not_delay_its_end() {
    let container = Container::start(DEBIAN);
    let link = DockerTarget::new(container.name()).connect().await;
    let begun = Instant::now();
    let output = ran(&link, "echo a; sleep 60 & exit 5").await;
    assert_eq!((output.exit_code(), output.stdout()), (Some(5), b"a\n".into()));
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_terminal_has_its_size_and_gives_every_byte() {
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start(image);
        let link = DockerTarget::new(container.name()).connect().await;
        let arguments = ConnectorArguments::new().with_get_pty(true);
        for (line, expected) in [
            ("stty size", &b"24 80\r\n"[..]),
            // An API for both kinds of stream would take these bytes for a frame header.
            (
                r"printf '\001\000\000\000\377\377\377\377'; sleep 0.2; printf '\002x'",
                b"\x01\0\0\0\xff\xff\xff\xff\x02x",
            ),
            ("exit 9", b""),
        ] {
            let command = StringCommand::shell(line);
            let output = link.run_shell_command(&command, &arguments).await.unwrap();
            assert_eq!(output.stdout(), expected, "{image}: {line}");
            assert_eq!(output.exit_code(), Some(if line == "exit 9" { 9 } else { 0 }));
        }
        // With the engine's keys to detach.
        let input = arguments.clone().with_stdin(Stdin::from("ctrl-p ctrl-q: \u{10}\u{11}\n"));
        let command = StringCommand::shell("cat; echo end");
        let output = link.run_shell_command(&command, &input).await.unwrap();
        assert_eq!(output.stdout(), b"ctrl-p ctrl-q: \x10\x11\nend\n");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn without_what_brings_input_through_a_terminal_nothing_is_started() {
    for tool in ["stty", "sed", "base64"] {
        let container = Container::start(DEBIAN);
        let link = DockerTarget::new(container.name()).connect().await;
        let arguments = ConnectorArguments::new().with_get_pty(true).with_stdin("input");
        let command = StringCommand::shell("cat; echo >/ran");
        let run = async || link.run_shell_command(&command, &arguments).await;
        assert_eq!(run().await.unwrap().stdout(), b"input", "the control");
        ran(&link, &format!("rm /ran /usr/bin/{tool} /bin/{tool}")).await;
        let error = run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.message().contains("stty, sed and base64"), "{error:?}");
        assert!(error.stderr_tail().unwrap_or_default().contains("not found"), "{error:?}");
        assert_eq!(ran(&link, "[ -e /ran ]").await.exit_code(), Some(1));
        // Without input it needs neither.
        let bare = ConnectorArguments::new().with_get_pty(true);
        let output = link.run_shell_command(&StringCommand::shell("echo"), &bare).await.unwrap();
        assert_eq!(output.stdout(), b"\r\n");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn user_directory_and_odd_bytes_hold() {
    let container = Container::start(DEBIAN);
    let target = DockerTarget::new(container.name())
        .with("docker_user", "plain")
        .with("docker_workdir", "/tmp");
    let link = target.connect().await;
    assert_eq!(ran(&link, "id -un; pwd").await.stdout(), b"plain\n/tmp\n");
    // The engine takes commands as JSON, which cannot represent such bytes.
    let command = StringCommand::new().raw("printf %s ").arg(OsStr::from_bytes(b"\xff\xfe"));
    let output = link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    assert_eq!(output.stdout(), b"\xff\xfe");
    link.disconnect().await.unwrap();
    let strange = DockerTarget::new(container.name()).with("docker_user", "nobody-there");
    let link = strange.connect().await;
    let error = link
        .run_shell_command(&StringCommand::shell("true"), &ConnectorArguments::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nobody-there"), "{error}");
    link.disconnect().await.unwrap();
}
