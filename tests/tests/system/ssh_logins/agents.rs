//! Agents: their keys, more keys than a server accepts tries, and agent forwarding.

use std::fs;
use std::process::Command;

use hostlink::{Data, ErrorKind};
use hostlink_tests::cli::{run, stdout};
use hostlink_tests::keys::{Agent, Key, KeyType, Keys};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

use crate::ssh_logins::scene::{
    assert_says, connect, connect_to, hostlink, key_of, on, refusal, refusal_of, says, text,
    user_of, with_agent,
};

/// A server with its default limit, set explicitly.
fn six_tries() -> Sshd {
    Sshd::builder().config("MaxAuthTries 6").passwords().start()
}

/// An agent with eight keys that no server knows.
fn eight_strangers(keys: &Keys) -> Agent {
    let strangers: Vec<Key> = (0..8).map(|_| keys.make(KeyType::Ed25519)).collect();
    Agent::start(&strangers.iter().collect::<Vec<_>>())
}

fn with_agent_allowed(data: Data) -> Data {
    data.with("ssh_allow_agent", true)
}

#[tokio::test]
async fn a_key_of_the_agent_logs_in() {
    let sshd = Sshd::builder().start();
    let (other, key) = (Keys::new().make(KeyType::Ed25519), key_of(&sshd));
    let agent = Agent::start(&[&other, &key]);
    let data = with_agent_allowed(on(&sshd, "root"));
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_eq!(user_of(&link).await, "root");
    let mut command = hostlink("127.0.0.1", &data, "id -un");
    command.env("SSH_AUTH_SOCK", agent.socket());
    assert_eq!(stdout(&run(command)), "root\n");
}

#[tokio::test]
async fn a_public_key_logs_in_with_the_private_half_in_the_agent() {
    let (sshd, keys) = (six_tries(), Keys::new());
    let key = key_of(&sshd);
    let strangers: Vec<Key> = (0..8).map(|_| keys.make(KeyType::Ed25519)).collect();
    let agent = Agent::start(&strangers.iter().chain([&key]).collect::<Vec<_>>());
    fs::remove_file(key.path()).unwrap();
    let public = text(&key.path().with_extension("pub"));
    let data = with_agent_allowed(on(&sshd, "root")).with("ssh_key", public.clone());
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_eq!(user_of(&link).await, "root");
    // No other key is shown to the server.
    assert_eq!((sshd.logins(), sshd.log().matches("Failed publickey").count()), (1, 0));

    let error = refusal(&sshd, &data).await;
    let expected = format!("the key {public} is a public one, and no agent has its private half");
    assert_says(&error, ErrorKind::Auth, &[&expected, "give the private one"]);
}

#[tokio::test]
async fn an_agent_that_is_not_allowed_is_not_used() {
    let sshd = Sshd::builder().start();
    let agent = Agent::start(&[&key_of(&sshd)]);
    let data = on(&sshd, "root").with("ssh_allow_agent", false);
    let error = refusal_of("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_says(&error, ErrorKind::Auth, &["no key was tried"]);
}

#[tokio::test]
async fn eight_strange_keys_are_too_many_and_the_error_says_so() {
    let (sshd, keys) = (six_tries(), Keys::new());
    let agent = eight_strangers(&keys);
    let data = with_agent_allowed(on(&sshd, "root"));
    let error = refusal_of("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_says(&error, ErrorKind::Auth, &["after too many tries", "(agent)", "ssh_key"]);
}

#[tokio::test]
async fn a_named_key_comes_before_the_eight_of_an_agent() {
    let (sshd, keys) = (six_tries(), Keys::new());
    let (agent, key) = (eight_strangers(&keys), key_of(&sshd));
    let data = with_agent_allowed(on(&sshd, "root")).with("ssh_key", text(key.path()));
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_eq!(user_of(&link).await, "root");
    assert_eq!((sshd.logins(), sshd.log().matches("Failed publickey").count()), (1, 0));
}

#[tokio::test]
async fn a_password_comes_before_the_eight_keys_of_an_agent() {
    let (sshd, keys, user) = (six_tries(), Keys::new(), TestUser::create("/bin/sh"));
    user.set_password("pass word");
    let agent = eight_strangers(&keys);
    let data = with_agent_allowed(on(&sshd, user.name())).with("ssh_password", "pass word");
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_eq!(user_of(&link).await, user.name());
    assert_eq!((sshd.logins(), sshd.log().matches("Failed ").count()), (1, 0), "{}", sshd.log());
}

#[tokio::test]
async fn a_locked_key_that_the_agent_has_needs_no_passphrase() {
    let sshd = Sshd::builder().start();
    let key = key_of(&sshd);
    let agent = Agent::start(&[&key]);
    let mut lock = Command::new("ssh-keygen");
    lock.args(["-q", "-p", "-N", "pass phrase", "-a", "1", "-f"]).arg(key.path());
    assert!(lock.status().unwrap().success());
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    refusal(&sshd, &data).await;
    let data = with_agent_allowed(data);
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_eq!(user_of(&link).await, "root");
}

#[tokio::test]
async fn a_forwarded_agent_lists_its_keys_on_the_target() {
    let sshd = Sshd::builder().start();
    let key = key_of(&sshd);
    let agent = Agent::start(&[&key]);
    let data = with_agent_allowed(on(&sshd, "root")).with("ssh_forward_agent", true);
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    let listed = says(&link, "ssh-add -L").await;
    assert_eq!(listed, key.public());
    let socket = says(&link, "echo $SSH_AUTH_SOCK").await;
    assert!(!socket.is_empty() && socket != text(&agent.socket()), "{socket}");
}

#[tokio::test]
async fn an_agent_is_not_forwarded_unasked() {
    let sshd = Sshd::builder().start();
    let agent = Agent::start(&[&key_of(&sshd)]);
    let data = with_agent_allowed(on(&sshd, "root"));
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    // ssh-add(1): 2 if it cannot reach the agent.
    let found = says(&link, "echo \"<$SSH_AUTH_SOCK>\"; ssh-add -l 2>/dev/null; echo $?").await;
    assert_eq!(found, "<>\n2");
}

#[tokio::test]
async fn an_agent_is_forwarded_also_where_it_may_not_log_in() {
    let sshd = Sshd::builder().start();
    let key = key_of(&sshd);
    let agent = Agent::start(&[&Keys::new().make(KeyType::Ed25519)]);
    let data = with_agent_allowed(on(&sshd, "root"))
        .with("ssh_key", text(key.path()))
        .with("ssh_forward_agent", true);
    let link = connect_to("127.0.0.1", &data, &with_agent(&agent.socket())).await;
    assert_eq!(says(&link, "ssh-add -l | wc -l").await, "1");
    link.disconnect().await.unwrap();
    // An agent that does not answer does not prevent the connection.
    assert_eq!(user_of(&connect(&sshd, &data).await).await, "root");
}
