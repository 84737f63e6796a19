//! Containers and engines that stop or vanish while they are used.

use std::time::{Duration, Instant};

use hostlink::{ConnectorArguments, Error, ErrorKind, Link, StringCommand};
use hostlink_tests::cli::becomes_true;
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN, LABEL};
use hostlink_tests::docker_target::{DockerTarget, ForeignContainer, RemovedImage, docker, ran};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::keeper::unique_name;
use hostlink_tests::own_engine::OwnEngine;
use tokio::task::{JoinHandle, spawn_blocking};

/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(20);

/// Starts a command that does not end by itself, and waits until it runs.
async fn under_way(link: &Link) -> JoinHandle<Error> {
    let mark = format!("/tmp/{}", unique_name());
    let command = StringCommand::shell(format!("echo before; : >{mark}; sleep 4242"));
    let running = {
        let link = link.clone();
        tokio::spawn(async move {
            link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap_err()
        })
    };
    let deadline = Instant::now() + SLACK;
    while !ran(link, &format!("test -e {mark}")).await.success() {
        assert!(Instant::now() < deadline, "the control: it runs");
    }
    running
}

/// Returns a target in the container, and its engine's own name for such targets.
fn target_in(container: &Container) -> DockerTarget {
    let mut target = DockerTarget::new(container.name());
    if container.engine() == Engine::Podman {
        target = target.with("podman_socket", PODMAN_SOCKET);
    }
    target.name = format!("@{}/{}", container.engine(), container.name());
    target
}

#[tokio::test]
async fn commands_need_no_directory_that_is_gone() {
    for engine in [Engine::Docker, Engine::Podman] {
        let container = Container::start_on(engine, DEBIAN, &["--workdir=/srv"]);
        let link = target_in(&container).connect().await;
        // A command that is under way when it goes is killed all the same.
        let slow = ConnectorArguments::new().with_timeout(Duration::from_secs(2));
        let command = StringCommand::shell("rmdir /srv; exec sleep 4244");
        let error = link.run_shell_command(&command, &slow).await.unwrap_err();
        assert_eq!((error.kind(), error.kill_confirmed()), (ErrorKind::Timeout, Some(true)));
        let error = next_error(&link).await.to_string();
        // Podman may report its own trouble instead of the reason.
        let is_vague = engine == Engine::Podman && error.contains("unixpacket");
        assert!(is_vague || error.ends_with("set docker_workdir=/"), "{error}");
        let elsewhere = ConnectorArguments::new().with_chdir("/tmp");
        let output = link.run_shell_command(&StringCommand::shell("pwd"), &elsewhere).await;
        assert_eq!(output.unwrap().stdout(), b"/tmp\n", "{engine}");
        link.disconnect().await.unwrap();
        let link = target_in(&container).with("docker_workdir", "/").connect().await;
        assert_eq!(ran(&link, "pwd").await.stdout(), b"/\n", "the remedy");
        link.disconnect().await.unwrap();
    }
}

async fn next_error(link: &Link) -> Error {
    let command = StringCommand::shell("true");
    link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap_err()
}

async fn lost(running: JoinHandle<Error>) -> String {
    let begun = Instant::now();
    let error = running.await.unwrap();
    println!("noticed after {:.1?}", begun.elapsed());
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    assert_eq!(error.output().unwrap().stdout(), b"before\n");
    error.to_string()
}

#[tokio::test]
async fn a_container_that_is_removed_midway_is_a_lost_link() {
    let container = ForeignContainer::new(&[BUSYBOX, "cat"]);
    let link = DockerTarget::new(&container.0).connect().await;
    let running = under_way(&link).await;
    docker(["rm", "--force", &container.0]);
    let error = lost(running).await;
    assert!(error.contains("was removed") || error.contains("ended"), "{error}");
    assert_eq!(next_error(&link).await.kind(), ErrorKind::LinkLost);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_container_that_is_killed_midway_is_a_lost_link() {
    let container = ForeignContainer::new(&[BUSYBOX, "cat"]);
    let link = DockerTarget::new(&container.0).connect().await;
    let running = under_way(&link).await;
    docker(["kill", &container.0]);
    let error = lost(running).await;
    assert!(error.contains("ended (exit code 137) while the command ran"), "{error}");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_container_that_is_started_anew_midway_is_a_lost_link() {
    let container = ForeignContainer::new(&[BUSYBOX, "cat"]);
    let link = DockerTarget::new(&container.0).connect().await;
    let running = under_way(&link).await;
    docker(["restart", "--time=0", &container.0]);
    lost(running).await;
    // A container that was started again can be used.
    assert!(ran(&link, "true").await.success());
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_stops_midway_is_a_lost_link() {
    for by_force in [false, true] {
        let engine = OwnEngine::start();
        engine.load(BUSYBOX);
        let name = unique_name();
        let _ = engine.docker([
            "run",
            "--detach",
            "--interactive",
            "--net=none",
            "--name",
            &name,
            BUSYBOX,
            "cat",
        ]);
        let target = DockerTarget::new(&name).with("docker_host", engine.host());
        let link = target.connect().await;
        let running = under_way(&link).await;
        if by_force {
            engine.kill();
        } else {
            engine.stop();
        }
        lost(running).await;
        assert_eq!(next_error(&link).await.kind(), ErrorKind::LinkLost);
        let begun = Instant::now();
        link.disconnect().await.unwrap();
        assert!(begun.elapsed() < SLACK);
    }
}

#[tokio::test]
async fn a_stopped_container_is_started_and_stopped_again() {
    let container = ForeignContainer::new(&[
        BUSYBOX,
        "sh",
        "-c",
        "trap exit TERM; while :; do sleep 0.1; done",
    ]);
    docker(["stop", &container.0]);
    assert_eq!(container.state(), "exited");
    let link = DockerTarget::new(&container.0).connect().await;
    assert_eq!(container.state(), "running");
    assert!(ran(&link, "echo kept >/kept").await.success());
    link.disconnect().await.unwrap();
    assert_eq!(container.state(), "exited");
    docker(["start", &container.0]);
    let link = DockerTarget::new(&container.0).connect().await;
    assert_eq!(ran(&link, "cat /kept").await.stdout(), b"kept\n");
    link.disconnect().await.unwrap();
    assert_eq!(container.state(), "running", "it ran before, so it runs after");
    docker(["stop", &container.0]);
    let link = DockerTarget::new(&container.0).connect().await;
    drop(link);
    let name = container.0.clone();
    let state = move || docker(["inspect", "--format", "{{.State.Status}}", &name]) == "exited";
    assert!(spawn_blocking(move || becomes_true(state)).await.unwrap());
}

#[tokio::test]
async fn a_container_that_was_started_is_not_stopped_under_another_connection() {
    let container = ForeignContainer::new(&[
        BUSYBOX,
        "sh",
        "-c",
        "trap exit TERM; while :; do sleep 0.1; done",
    ]);
    docker(["stop", &container.0]);
    let target = DockerTarget::new(&container.0);
    let link = target.connect().await;
    let other = DockerTarget::new(&container.0).connect().await;
    let running = under_way(&other).await;
    link.disconnect().await.unwrap();
    let told = format!("the container {} was not stopped again: others use it", container.0);
    assert_eq!(target.told(), [told]);
    assert_eq!(container.state(), "running");
    assert!(ran(&other, "true").await.success() && !running.is_finished());
    docker(["kill", &container.0]);
    lost(running).await;
    other.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_stopped_container_that_would_go_at_its_end_is_refused_and_left() {
    let words = ["create", "--rm", "--interactive", "--label", LABEL, BUSYBOX, "cat"];
    let container = ForeignContainer(docker(words));
    let error = DockerTarget::new(&container.0).try_connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let words =
        ["is stopped, and the engine removes it when it stops again (--rm): run `docker start "];
    assert!(words.iter().all(|it| error.to_string().contains(it)), "{error}");
    assert_eq!(container.state(), "created");
    // Once it runs, it is like any other.
    docker(["start", &container.0]);
    let link = DockerTarget::new(&container.0).connect().await;
    assert!(ran(&link, "true").await.success());
    link.disconnect().await.unwrap();
    assert_eq!(container.state(), "running");
}

#[tokio::test]
async fn a_container_that_cannot_run_commands_is_left_as_it_was() {
    let paused = ForeignContainer::new(&[BUSYBOX, "cat"]);
    docker(["pause", &paused.0]);
    let error = DockerTarget::new(&paused.0).try_connect().await.unwrap_err();
    assert!(error.to_string().contains("is paused: `docker unpause"), "{error}");
    assert_eq!(paused.state(), "paused");
    docker(["unpause", &paused.0]);

    let brief = ForeignContainer::new(&[BUSYBOX, "sh", "-c", "exit 4"]);
    docker(["wait", &brief.0]);
    let error = DockerTarget::new(&brief.0).try_connect().await;
    // The container may still exist when it is looked up; then the first command finds it gone.
    let error = match error {
        Err(error) => error,
        Ok(link) => {
            let command = StringCommand::shell("sleep 1");
            let run = link.run_shell_command(&command, &ConnectorArguments::new()).await;
            let _ = link.disconnect().await;
            run.unwrap_err()
        }
    };
    assert!(error.to_string().contains("(exit code 4)"), "{error}");
}

#[tokio::test]
async fn a_container_and_an_image_are_found_by_name_and_by_id() {
    let container = Container::start(BUSYBOX);
    let id = docker(["inspect", "--format", "{{.Id}}", container.name()]);
    for name in [container.name(), &id, &id[..12]] {
        let link = DockerTarget::new(name).connect().await;
        assert!(ran(&link, "true").await.success());
        link.disconnect().await.unwrap();
        let target = DockerTarget::new("x").with("docker_identifier", name);
        target.with("docker_container_id", name).connect().await.disconnect().await.unwrap();
    }
    let image = docker(["image", "inspect", "--format", "{{.Id}}", BUSYBOX]);
    for name in [&image[..], image.trim_start_matches("sha256:")] {
        let target = DockerTarget::new(name).with("docker_commit", "never");
        target.connect().await.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_short_id_is_an_image_where_one_has_this_name() {
    let container = Container::start(BUSYBOX);
    assert!(container.shell(": >/theirs").is_empty());
    let id = docker(["inspect", "--format", "{{.Id}}", container.name()]);
    let is_container = async |name: &str| {
        let link = DockerTarget::new(name).with("docker_commit", "never").connect().await;
        let found = ran(&link, "test -e /theirs").await.success();
        link.disconnect().await.unwrap();
        found
    };
    let (short, shown) = (&id[..8], &id[..12]);
    assert!(is_container(short).await && is_container(shown).await);
    let images = [short, shown].map(|name| RemovedImage(format!("{name}:latest")));
    for image in &images {
        docker(["tag", BUSYBOX, &image.0]);
    }
    assert!(!is_container(short).await, "it may be by chance");
    assert!(is_container(shown).await, "it is as docker shows it");
    let outright = DockerTarget::new("x").with("docker_container_id", short);
    let link = outright.with("docker_identifier", short).connect().await;
    assert!(ran(&link, "test -e /theirs").await.success());
    link.disconnect().await.unwrap();
}
