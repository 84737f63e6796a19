//! Podman's containers, on root's socket.

use hostlink_tests::cli::{run, stdout};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::ssh_container::SshContainer;
use hostlink_tests::ssh_target::said;

use super::own_server::data;
use super::scene::connect;

/// Not through `podman exec`: Podman 4.3.1 sometimes loses a command's output.
fn hostname(container: &Container) -> String {
    let words = ["inspect", "--format", "{{.Config.Hostname}}", container.name()];
    stdout(&run(Engine::Podman.command(words)))
}

#[tokio::test]
async fn a_container_on_a_hosts_podman() {
    let (host, container) = (DockerHost::root(), Container::start_on(Engine::Podman, DEBIAN, &[]));
    let data = host.data().with("podman_socket", PODMAN_SOCKET);
    let name = format!("@podmanssh/{}:{}", host.address(), container.name());
    let link = connect(&name, &data).await;
    assert_eq!(said(&link, "hostname").await, hostname(&container));
    link.disconnect().await.unwrap();
    assert_eq!(host.sshd().logins(), 1);
}

#[tokio::test]
async fn a_container_of_podmans_by_its_own_server() {
    for published in [false, true] {
        let server = match published {
            true => SshContainer::start_published(Engine::Podman),
            false => SshContainer::start_on(Engine::Podman, "", &[]),
        };
        let data = data(&server).with("podman_socket", PODMAN_SOCKET);
        let name = format!("@podmanssh/{}", server.container().name());
        let link = connect(&name, &data).await;
        assert_eq!(said(&link, "hostname").await, hostname(server.container()));
        link.disconnect().await.unwrap();
    }
}
