//! One login carries everything, and nothing of it is left.

use hostlink::transfer::PutOptions;
use hostlink::{Link, builtin_registry};
use hostlink_tests::cli::wait_until;
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::ssh_target::{Traces, said};
use tokio::task::JoinSet;

use super::scene::{context, on, processes_of, running_on};

const EXECS: usize = 50;
const PUTS: usize = 10;

async fn exec(link: &Link, number: usize) {
    assert_eq!(said(link, &format!("echo {number}")).await, format!("{number}\n"));
}

async fn put(link: &Link, number: usize) {
    let (path, content) = (format!("/tmp/{number}"), format!("content {number}"));
    link.put_file(content.into_bytes(), &path, &PutOptions::default()).await.unwrap();
}

/// Counts the engine's own commands that run for the host's user.
fn dials(host: &DockerHost) -> usize {
    let lines = running_on(host);
    lines.iter().filter(|line| line.starts_with("docker system dial-stdio")).count()
}

/// Runs fifty commands and ten files at the same time, and then as many one after the other.
async fn carries_everything(host: DockerHost, dialling: bool) {
    let (container, traces) = (Container::start(DEBIAN), Traces::new());
    let context =
        hostlink::Context { runtime_directory: Some(traces.path().to_owned()), ..context() };
    let name = on(&host, container.name());
    let link = builtin_registry().connect(&name, &host.data(), &context).await.unwrap();
    let mut work = JoinSet::new();
    for number in 0..EXECS {
        let link = link.clone();
        work.spawn(async move { exec(&link, number).await });
    }
    for number in 0..PUTS {
        let link = link.clone();
        work.spawn(async move { put(&link, number).await });
    }
    assert_eq!(dials(&host) > 0, dialling, "{:?}", running_on(&host));
    assert!(!traces.is_empty(), "the control: the login is in it");
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    for number in 0..EXECS {
        exec(&link, number).await;
    }
    for number in PUTS..2 * PUTS {
        put(&link, number).await;
    }
    for number in [0, PUTS - 1, 2 * PUTS - 1] {
        assert_eq!(container.shell(&format!("cat /tmp/{number}")), format!("content {number}"));
    }
    assert_eq!(host.sshd().logins(), 1, "{}", host.sshd().log());
    let sockets = || traces.files().iter().flat_map(|it| std::fs::read_dir(it).unwrap()).count();
    println!("{} files while it is used", sockets());
    link.disconnect().await.unwrap();
    drop(link);
    wait_until("nothing is left here", || traces.is_empty());
    host.sshd().wait_until_idle();
    assert_eq!(running_on(&host), [""; 0]);
    if host.user() != "root" {
        wait_until("nothing is left there", || processes_of(host.user()).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_login_carries_everything() {
    carries_everything(DockerHost::member(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_login_carries_everything_by_the_engines_command() {
    carries_everything(DockerHost::without_forwarding(), true).await;
}
