//! Containers through their own SSH server.

use hostlink::{Data, ErrorKind};
use hostlink_tests::cli::{self, code, stderr, stdout};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::engine::Engine;
use hostlink_tests::ssh_container::SshContainer;
use hostlink_tests::ssh_target::said;

use super::scene::{connect, hostlink, refused};

/// Returns the host key of a container under the name that it is stored by.
pub(super) fn known_by_id(server: &SshContainer) -> String {
    format!("container-{} {}\n", id(server.container()), server.host_key())
}

pub(super) fn id(container: &Container) -> String {
    let words = ["container", "inspect", "--format", "{{.Id}}", container.name()];
    container.engine().say(words).trim().to_owned()
}

/// Returns data for a login that accept only the container's key, stored by its ID.
pub(super) fn data(server: &SshContainer) -> Data {
    std::fs::write(server.known_hosts(), known_by_id(server)).unwrap();
    Data::new()
        .with("ssh_user", "plain")
        .with("ssh_key", server.identity().display().to_string())
        .with("ssh_known_hosts_file", server.known_hosts().display().to_string())
        .with("ssh_strict_host_key_checking", "yes")
        .with("ssh_config_file", "none")
        .with("ssh_allow_agent", false)
        .with("ssh_look_for_keys", false)
}

fn name(container: &Container) -> String {
    format!("@dockerssh/{}", container.name())
}

/// Returns the addresses of the login: `CLIENT PORT SERVER PORT`.
async fn way_in(server: &SshContainer, data: &Data) -> String {
    let link = connect(&name(server.container()), data).await;
    assert_eq!(link.name(), name(server.container()));
    let said = said(&link, "id -un; echo $SSH_CONNECTION").await;
    let (user, way) = said.split_once('\n').unwrap();
    assert_eq!(user, "plain", "ssh_user");
    link.disconnect().await.unwrap();
    way.trim().to_owned()
}

/// Returns how many logins are in its log.
fn logins(server: &SshContainer) -> usize {
    server.logs().matches("Accepted publickey for plain").count()
}

#[tokio::test]
async fn a_container_is_reached_at_its_own_address() {
    let server = SshContainer::start();
    assert_eq!(server.published(), None);
    let way = way_in(&server, &data(&server)).await;
    assert!(way.ends_with(&format!(" {} 22", server.address().ip())), "{way}");
    assert_eq!(logins(&server), 1);
}

#[tokio::test]
async fn a_published_port_comes_first() {
    let server = SshContainer::start_published(Engine::Docker);
    let published = server.published().unwrap();
    // The error for an unknown key shows the address.
    let unknown = data(&server).with("ssh_known_hosts_file", "none");
    let error = refused(&name(server.container()), &unknown).await;
    assert_eq!(error.kind(), ErrorKind::HostKey, "{error}");
    assert!(error.to_string().contains(&published.to_string()), "{error}");
    way_in(&server, &data(&server)).await;
    assert_eq!(logins(&server), 1);
}

#[tokio::test]
async fn another_port_is_the_one_in_the_container() {
    for options in [&[][..], &["--publish=127.0.0.1::2022"]] {
        let server = SshContainer::start_on(Engine::Docker, "Port 22\nPort 2022", options);
        let way = way_in(&server, &data(&server).with("ssh_port", 2022)).await;
        assert!(way.ends_with(" 2022"), "{way}");
    }
}

#[tokio::test]
async fn a_container_that_does_not_run_is_reported() {
    let server = SshContainer::start();
    let data = data(&server);
    let container = server.container().name();
    let target = name(server.container());
    Engine::Docker.say(["pause", container]);
    let error = refused(&target, &data).await;
    Engine::Docker.say(["unpause", container]);
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("docker unpause"), "{error}");
    let stopped = Stopped::new();
    let error = refused(&format!("@dockerssh/{}", stopped.0), &data).await;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains(&format!("`docker start {}`", stopped.0)), "{error}");
    let error = refused(&format!("{target}x"), &data).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&format!("did you mean {container}")), "{error}");
}

/// A container that was never started.
struct Stopped(String);

impl Stopped {
    fn new() -> Self {
        let name = format!("hostlink-test-stopped-{}", std::process::id());
        let label = hostlink_tests::container::LABEL;
        Engine::Docker.say(["create", "--label", label, "--name", &name, DEBIAN, "true"]);
        Self(name)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = cli::run(Engine::Docker.command(["rm", "-f", &self.0]));
    }
}

#[tokio::test]
async fn a_container_without_a_server_has_the_error_of_ssh() {
    let (container, server) = (Container::start(DEBIAN), SshContainer::start());
    let error = refused(&name(&container), &data(&server)).await;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("does sshd listen on that port?"), "{error}");
    assert_eq!(error.target(), Some(&*name(&container)));
}

#[test]
fn options_for_images_have_no_effect_on_it_and_warn() {
    let server = SshContainer::start();
    let data = data(&server).with("docker_tag", "x:1");
    let output = cli::run(hostlink(&data, &[&name(server.container()), "exec", "--", "true"]));
    let told = stderr(&output);
    assert_eq!(code(&output), 0, "{told}");
    let expected = format!("docker_tag does nothing, since {} is a", server.container().name());
    assert!(told.contains(&expected), "{told}");
}

#[test]
fn what_is_wrong_with_data_is_listed_before_anything_connects() {
    let words = |pairs: &[(&str, &str)], name: &str| {
        let data: Data = pairs.iter().copied().collect();
        let mut command = hostlink(&data, &[name, "exec", "--", "true"]);
        // An engine that does not answer.
        command.env("DOCKER_HOST", "tcp://127.0.0.1:1");
        let output = cli::run(command);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{}", stderr(&output));
        let line = stderr(&output);
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    };
    let pairs = [
        ("ssh_port", "x"),
        ("ssh_hostname", "web1"),
        ("ssh_key", "/nowhere/key"),
        ("docker_workdir", "srv"),
    ];
    let line = words(&pairs, "@dockerssh/app");
    for (key, _) in pairs {
        assert!(line.contains(&format!("{key}: ")), "{key}: {line}");
    }
    let line = words(&[("docker_image", "app")], "@dockerssh/app");
    assert!(line.contains("docker_image: an image has no SSH server"), "{line}");
    let line = words(&[("ssh_port", "x"), ("docker_workdir", "srv")], "@dockerssh/web1:app");
    assert!(line.contains("ssh_port: ") && line.contains("docker_workdir: "), "{line}");
}
