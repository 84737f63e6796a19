//! A failing route through a bastion, and which part of it failed.

use hostlink::{Data, ErrorKind};
use hostlink_tests::keys::{Agent, Key, KeyType, Keys};
use hostlink_tests::ports::free_port;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::unreachable::{Blackhole, Silent};

use crate::ssh_logins::scene::{
    assert_says, believing, hostlink, key_of, one_line_of, refusal_of, with_agent,
};

/// A server that serves as either end, and an agent with its key.
struct Scene {
    sshd: Sshd,
    agent: Agent,
    _key: Key,
}

impl Scene {
    fn start() -> Self {
        Self::with(Sshd::builder().start())
    }

    fn with(sshd: Sshd) -> Self {
        let key = key_of(&sshd);
        Self { sshd, agent: Agent::start(&[&key]), _key: key }
    }

    fn data(&self, jump: &str) -> Data {
        believing(&self.sshd.known_hosts())
            .with("ssh_config_file", "none")
            .with("ssh_allow_agent", true)
            .with("ssh_proxy_jump", jump)
    }

    fn place(&self) -> String {
        format!("root@127.0.0.1:{}", self.sshd.port())
    }

    /// Checks the library's error, and the same line from the command.
    async fn fails(&self, target: &str, data: &Data, kind: ErrorKind, parts: &[&str]) {
        let error = refusal_of(target, data, &with_agent(&self.agent.socket())).await;
        assert_says(&error, kind, parts);
        let mut command = hostlink(target, data, "true");
        command.env("SSH_AUTH_SOCK", self.agent.socket());
        let line = one_line_of(command, 255);
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}

fn nothing_there() -> u16 {
    free_port(&["127.0.0.1".parse().unwrap()])
}

#[tokio::test]
async fn a_bastion_that_refuses_the_connection() {
    let (it, port) = (Scene::start(), nothing_there());
    let data = it.data(&format!("root@127.0.0.1:{port}"));
    let place = format!("the jump host 127.0.0.1 port {port}: Connection refused");
    it.fails(&it.place(), &data, ErrorKind::Connect, &[&place]).await;
}

#[tokio::test]
async fn a_bastion_whose_name_cannot_be_resolved() {
    let it = Scene::start();
    let data = it.data("door.invalid");
    let name = "the name of the jump host door.invalid cannot be resolved";
    it.fails(&it.place(), &data, ErrorKind::Connect, &[name]).await;
}

#[tokio::test]
async fn a_bastion_that_drops_packets() {
    let (it, hole) = (Scene::start(), Blackhole::new());
    let hop = hole.address().to_string();
    let data = it.data(&hop).with("ssh_connect_timeout", 2);
    let expected = format!("connecting to the jump host {hop}:22 timed out after 2 s");
    it.fails(&it.place(), &data, ErrorKind::Connect, &[&expected]).await;
}

#[tokio::test]
async fn a_bastion_without_a_banner() {
    let (it, silent) = (Scene::start(), Silent::start());
    let hop = silent.address().to_string();
    let data = it.data(&hop).with("ssh_connect_timeout", 2);
    let expected = format!("connected to the jump host {hop}, but no SSH banner came within 2 s");
    it.fails(&it.place(), &data, ErrorKind::Connect, &[&expected]).await;
}

#[tokio::test]
async fn a_bastion_that_refuses_the_key() {
    let it = Scene::start();
    let stranger = Agent::start(&[&Keys::new().make(KeyType::Ed25519)]);
    let data = it.data(&it.place());
    let error = refusal_of("inner", &data, &with_agent(&stranger.socket())).await;
    let expected = format!("the jump host {} refused the login", it.place());
    assert_says(&error, ErrorKind::Auth, &[&expected, "tried the keys"]);
    assert_eq!(it.sshd.logins(), 0);
}

#[tokio::test]
async fn a_bastion_that_does_not_forward() {
    let it = Scene::with(Sshd::builder().config("AllowTcpForwarding no").start());
    let data = it.data(&it.place());
    let expected = format!("the jump host {} does not allow connections through it", it.place());
    it.fails("inner", &data, ErrorKind::Connect, &[&expected]).await;
}

#[tokio::test]
async fn a_target_that_refuses_the_bastion() {
    let (it, port) = (Scene::start(), nothing_there());
    let data = it.data(&it.place());
    let expected = format!("the jump host {} cannot reach the next host", it.place());
    let target = format!("root@127.0.0.1:{port}");
    it.fails(&target, &data, ErrorKind::Connect, &[&expected, "Connection refused"]).await;
}

#[tokio::test]
async fn a_target_whose_name_the_bastion_cannot_resolve() {
    let it = Scene::start();
    let data = it.data(&it.place());
    let expected = format!("the jump host {} cannot reach the next host", it.place());
    it.fails("inner.invalid", &data, ErrorKind::Connect, &[&expected]).await;
}

#[tokio::test]
async fn the_second_of_two_bastions() {
    let (it, port) = (Scene::start(), nothing_there());
    let data = it.data(&format!("{},root@127.0.0.1:{port}", it.place()));
    let expected = format!("the jump host {} cannot reach the next host", it.place());
    it.fails(&it.place(), &data, ErrorKind::Connect, &[&expected, "Connection refused"]).await;
}

#[tokio::test]
async fn a_target_without_a_banner_through_a_bastion() {
    let (it, silent) = (Scene::start(), Silent::start());
    let data = it.data(&it.place()).with("ssh_connect_timeout", 5);
    let target = format!("root@{}", silent.address());
    let error = refusal_of(&target, &data, &with_agent(&it.agent.socket())).await;
    assert_says(&error, ErrorKind::Connect, &["no SSH banner came within 5 s"]);
    assert!(!error.message().contains("jump"), "{error}");
}

#[tokio::test]
async fn a_proxy_command_that_fails_has_the_last_word() {
    let it = Scene::start();
    let data = believing(&it.sshd.known_hosts())
        .with("ssh_config_file", "none")
        // It keeps its standard output open until it has written: ssh ends a proxy that has closed
        // it.
        .with("ssh_proxy_command", "sh -c \"echo 'no way through' >&2; exit 1\"");
    it.fails(&it.place(), &data, ErrorKind::Connect, &["proxy", "no way through"]).await;
}
