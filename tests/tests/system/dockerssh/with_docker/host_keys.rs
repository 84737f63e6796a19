//! A container's host key is stored by its ID: other containers get its address and port later.

use std::fs;
use std::net::TcpListener;

use hostlink::{Data, ErrorKind};
use hostlink_tests::cli;
use hostlink_tests::engine::Engine;
use hostlink_tests::ssh_container::SshContainer;
use hostlink_tests::ssh_target::said;

use super::own_server::{data, id, known_by_id};
use super::scene::{connect, refused};

/// Returns a port that is free at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn containers_that_get_one_port_after_another_are_distinguished() {
    let known = tempfile::NamedTempFile::new().unwrap();
    let publish = format!("--publish=127.0.0.1:{}:22", free_port());
    let mut keys = Vec::new();
    for _ in 0..2 {
        let server = SshContainer::start_on(Engine::Docker, "", &[&publish]);
        let data = learning(&server, known.path());
        let link = connect(&format!("@dockerssh/{}", server.container().name()), &data).await;
        assert_eq!(said(&link, "id -un").await, "plain\n");
        link.disconnect().await.unwrap();
        keys.push(known_by_id(&server));
    }
    assert_ne!(keys[0], keys[1], "the control");
    assert_eq!(fs::read_to_string(known.path()).unwrap(), keys.concat());
}

/// Returns data that store new keys in this file.
fn learning(server: &SshContainer, known: &std::path::Path) -> Data {
    data(server)
        .with("ssh_known_hosts_file", known.display().to_string())
        .with("ssh_strict_host_key_checking", "accept-new")
}

#[tokio::test]
async fn a_key_that_has_changed_is_removed_by_the_containers_name() {
    let server = SshContainer::start_published(Engine::Docker);
    let name = format!("@dockerssh/{}", server.container().name());
    let directory = tempfile::tempdir().unwrap();
    let known = directory.path().join("known_hosts");
    let another = hostlink_tests::keys::Keys::new().make(hostlink_tests::keys::KeyType::Ed25519);
    let alias = format!("container-{}", id(server.container()));
    fs::write(&known, format!("{alias} {}\n", another.public().trim())).unwrap();
    let data = learning(&server, &known);
    let error = refused(&name, &data).await;
    assert_eq!(error.kind(), ErrorKind::HostKey);
    let text = error.to_string();
    let (_, order) = text.split_once("remove it with: ").unwrap_or_else(|| panic!("{text}"));
    assert!(order.contains(&alias), "{text}");
    // The command in the message works.
    let done = cli::run(cli::command("sh".as_ref(), ["-c", order]));
    assert_eq!(cli::code(&done), 0, "{}", cli::stderr(&done));
    let link = connect(&name, &data).await;
    link.disconnect().await.unwrap();
    assert_eq!(fs::read_to_string(&known).unwrap(), known_by_id(&server));
}

#[tokio::test]
async fn an_unknown_key_is_refused_under_yes() {
    let server = SshContainer::start();
    let known = tempfile::NamedTempFile::new().unwrap();
    let data = data(&server).with("ssh_known_hosts_file", known.path().display().to_string());
    let error = refused(&format!("@dockerssh/{}", server.container().name()), &data).await;
    assert_eq!(error.kind(), ErrorKind::HostKey, "{error}");
}
