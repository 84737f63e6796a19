//! Images on the engine of a host.

use hostlink::Data;
use hostlink_tests::cli::{self, code, stderr, stdout, wait_until};
use hostlink_tests::container::BUSYBOX;
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::engine::Engine;

use super::scene::{hostlink, on, running_on};

/// Returns the containers that a process has made from images.
fn containers_of(pid: u32) -> Vec<String> {
    const FORMAT: &str = "{{.ID}} {{.Label \"hostlink.owner\"}}";
    let listed =
        Engine::Docker.say(["ps", "-a", "--filter", "label=hostlink.owner", "--format", FORMAT]);
    let owner = format!("/{pid}/");
    listed.lines().filter(|line| line.contains(&owner)).map(str::to_owned).collect()
}

/// A name for a new image, which is removed with the test.
struct NewImage(String);

impl NewImage {
    fn new(word: &str) -> Self {
        Self(format!("hostlink-test-dockerssh-{}-{word}", std::process::id()))
    }
}

impl Drop for NewImage {
    fn drop(&mut self) {
        let _ = cli::run(Engine::Docker.command(["rmi", "-f", &self.0]));
    }
}

fn is_committed_and_removed(host: &DockerHost, data: &Data, word: &str) {
    let new = NewImage::new(word);
    let data = data.clone().with("docker_tag", new.0.as_str());
    let name = on(host, &format!("{BUSYBOX}:latest"));
    let line = "echo kept >/mark; hostname; cat /mark";
    let child = hostlink(&data, &[&name, "exec", "--", line]).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("committed to sha256:"), "{}", stderr(&output));
    assert_eq!(containers_of(pid), [""; 0]);
    let kept = cli::run(Engine::Docker.command(["run", "--rm", &new.0, "cat", "/mark"]));
    assert_eq!(stdout(&kept), "kept\n", "{}", stderr(&kept));
    assert_eq!(host.sshd().logins(), 1);
}

#[test]
fn an_image_becomes_a_container_and_then_an_image_again() {
    let host = DockerHost::member();
    is_committed_and_removed(&host, &host.data(), "socket");
}

#[test]
fn so_it_does_by_the_engines_command() {
    let host = DockerHost::sudoer();
    is_committed_and_removed(&host, &host.data().with("docker_sudo", true), "command");
}

fn a_kill_takes_the_container_along(host: &DockerHost, data: &Data) {
    let name = on(host, &format!("{BUSYBOX}:latest"));
    let mut command = hostlink(data, &[&name, "exec", "--", "echo started; sleep 300"]);
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    let mut first = [0; 8];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert_eq!(&first, b"started\n");
    assert_eq!(containers_of(pid).len(), 1, "the control");
    assert_ne!(running_on(host), [""; 0], "the control");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the container is gone", || containers_of(pid).is_empty());
    wait_until("nothing runs on the host", || running_on(host).is_empty());
}

#[test]
fn a_kill_takes_the_container_along_with_the_login() {
    let host = DockerHost::member();
    a_kill_takes_the_container_along(&host, &host.data());
}

#[test]
fn a_kill_takes_the_container_along_with_the_engines_command() {
    let host = DockerHost::without_forwarding();
    a_kill_takes_the_container_along(&host, &host.data());
}

#[test]
fn a_kill_takes_the_container_along_with_the_command_of_root() {
    let host = DockerHost::sudoer();
    a_kill_takes_the_container_along(&host, &host.data().with("docker_sudo", true));
}
