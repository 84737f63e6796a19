//! Links that break while a command runs.

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{Data, ErrorKind};
use hostlink_tests::cli::{unique_seconds, wait_until};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::ssh_target::said;

use super::scene::{connect, on, run, within};

/// Kills the login while a command, a put and a get are running in a container that stays.
async fn loses_what_is_under_way(host: &DockerHost, data: &Data) {
    let container = Container::start(DEBIAN);
    let _ = container.shell("truncate -s 1T /srv/zero");
    let link = connect(&on(host, container.name()), data).await;
    let (running, putting, getting) = (link.clone(), link.clone(), link.clone());
    let seconds = unique_seconds();
    let line = format!("echo begun >/tmp/begun; sleep {seconds}");
    let ran = tokio::spawn(async move { run(&running, &line).await.map(|_| ()) });
    let put = tokio::spawn(async move {
        let source = Source::reader(tokio::io::repeat(b'x'));
        putting.put_file(source, "/tmp/put", &PutOptions::default()).await.map(|_| ())
    });
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("got");
    let got = tokio::spawn(async move {
        getting.get_file("/srv/zero", here, &GetOptions::default()).await.map(|_| ())
    });
    let begun = || {
        let put = container.shell("ls -A /tmp | grep -c put || :") != "0\n";
        let got = std::fs::read_dir(directory.path()).unwrap().flatten();
        let got = got.filter_map(|it| it.metadata().ok()).any(|it| it.len() > 1 << 20);
        put && got && container.shell("ls /tmp").contains("begun")
    };
    tokio::task::block_in_place(|| wait_until("all is under way", begun));
    host.sshd().kill_sessions();
    for (what, done) in [("command", ran), ("put", put), ("get", got)] {
        let error = within(what, done).await.unwrap().unwrap_err();
        println!("{what}: {error}");
        assert_eq!(error.kind(), ErrorKind::LinkLost, "{what}: {error:?}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    // hostlink has logged in to the host again, perhaps more than once: a kill that exceeds its
    // second drops the login that it has started, and the next use starts another.
    assert_eq!(said(&link, "echo again").await, "again\n");
    assert!(host.sshd().logins() >= 2, "{}", host.sshd().logins());
    within("disconnect", link.disconnect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_killed_loses_what_is_under_way() {
    let host = DockerHost::member();
    loses_what_is_under_way(&host, &host.data()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_one_that_carries_the_engines_command() {
    let host = DockerHost::without_forwarding();
    loses_what_is_under_way(&host, &host.data()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_hangs_on_the_login_goes_with_it() {
    let host = DockerHost::member();
    let data = host.data().with("docker_commit", "never");
    let link = connect(&on(&host, &format!("{BUSYBOX}:latest")), &data).await;
    let running = link.clone();
    let seconds = unique_seconds();
    let line = format!("sleep {seconds}");
    let ran = tokio::spawn(async move { run(&running, &line).await.map(|_| ()) });
    let runs = || hostlink_tests::cli::count_running("sleep", &seconds) == 1;
    tokio::task::block_in_place(|| wait_until("the command runs", runs));
    host.sshd().kill_sessions();
    let error = within("command", ran).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    tokio::task::block_in_place(|| wait_until("it is gone", || !runs()));
    let error = within("another", run(&link, "true")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    assert!(error.to_string().contains("the container"), "{error}");
    within("disconnect", link.disconnect()).await.unwrap();
}
