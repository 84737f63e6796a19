//! What the command does over such a link: many commands at the same time, a shell, rsync, forward.

use std::ffi::OsString;
use std::fs;

use hostlink::Data;
use hostlink_tests::cli::{code, run, stderr, stdout};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::rsync::{self, Far};
use hostlink_tests::terminal::Terminal;

use super::scene::{hostlink, on};

#[test]
fn two_containers_of_one_host_together() {
    let (host, one, other) =
        (DockerHost::member(), Container::start(DEBIAN), Container::start(DEBIAN));
    let names = [on(&host, one.name()), on(&host, other.name())];
    let command =
        hostlink(&host.data(), &["--json", &names.join(","), "exec", "--", "hostname; exit 3"]);
    let output = run(command);
    assert_eq!(stderr(&output), "");
    let mut said: Vec<(String, String, i64)> = stdout(&output)
        .lines()
        .map(|line| {
            let told: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| told[key].as_str().unwrap().to_owned();
            (text("host"), text("stdout"), told["exit_code"].as_i64().unwrap())
        })
        .collect();
    said.sort();
    let mut expected = vec![
        (names[0].clone(), one.shell("hostname"), 3),
        (names[1].clone(), other.shell("hostname"), 3),
    ];
    expected.sort();
    assert_eq!(said, expected);
}

fn far(host: &DockerHost, data: &Data, container: &Container) -> Far {
    let mut words: Vec<OsString> = Vec::new();
    for argument in hostlink(data, &[]).get_args() {
        words.push(argument.to_owned());
    }
    Far::new(&on(host, container.name())).with_options(words)
}

#[test]
fn rsync_takes_a_tree_there_and_back() {
    let (host, container) = (DockerHost::member(), Container::start(DEBIAN));
    rsync::a_tree_round_trips(&far(&host, &host.data(), &container));
}

#[test]
fn rsync_goes_by_the_engines_command_too() {
    let (host, container) = (DockerHost::without_forwarding(), Container::start(DEBIAN));
    rsync::a_tree_round_trips(&far(&host, &host.data(), &container));
}

#[test]
fn a_shell_runs_what_is_typed() {
    for host in [DockerHost::member(), DockerHost::without_forwarding()] {
        let container = Container::start(DEBIAN);
        let name = on(&host, container.name());
        let command = hostlink(&host.data(), &[&name, "shell"]);
        let terminal = Terminal::start(&hostlink_tests::binary(), command.get_args(), &[]);
        terminal.wait_until_taken_over();
        terminal.type_in("echo $((6 * 7))-$(hostname); stty size\r");
        terminal.wait_for(&format!("42-{}", container.shell("hostname").trim()));
        terminal.resize(33, 111);
        terminal
            .type_in("until [ \"$(stty size)\" = '33 111' ]; do sleep 0.1; done; echo re''sized\r");
        terminal.wait_for("resized");
        terminal.type_in("exit 7\r");
        assert_eq!(terminal.wait_for_status(), 7);
    }
}

#[test]
fn forward_says_that_there_is_none() {
    let (host, container) = (DockerHost::member(), Container::start(DEBIAN));
    let name = on(&host, container.name());
    let output = run(hostlink(&host.data(), &[&name, "forward", "-L", "127.0.0.1:0:127.0.0.1:22"]));
    let line = stderr(&output);
    assert!(code(&output) != 0 && line.matches('\n').count() == 1, "{line}");
    assert!(line.contains("this connection forwards no ports"), "{line}");
}

#[test]
fn files_go_there_and_back() {
    let (host, container) = (DockerHost::member(), Container::start(DEBIAN));
    let name = on(&host, container.name());
    let directory = tempfile::tempdir().unwrap();
    let (from, back) = (directory.path().join("from"), directory.path().join("back"));
    fs::write(&from, "content").unwrap();
    let (from, back) = (from.display().to_string(), back.display().to_string());
    for words in [["put", &from, "/tmp/there"], ["get", "/tmp/there", &back]] {
        let words = [&[&*name], &words[..]].concat();
        let output = run(hostlink(&host.data(), &words));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    assert_eq!(fs::read(back).unwrap(), b"content");
}
