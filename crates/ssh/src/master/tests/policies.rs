//! What holds of the user's own configuration, and where ours comes before it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hostlink_core::{Context, ErrorKind, Secret};

use crate::master::Master;
use crate::settings::{HostKeyPolicy, Settings};

use super::sshd::{Sshd, failure, keygen, run, start, start_in, until};

fn configured(sshd: &Sshd, text: &str) -> Settings {
    let config = sshd.path("ssh_config");
    fs::write(&config, text).unwrap();
    Settings {
        config_file: Some(config),
        host_keys: None,
        server_alive_interval: None,
        ..sshd.with_key()
    }
}

#[tokio::test]
async fn the_users_host_key_policy_holds_unless_the_data_has_one() {
    let sshd = Sshd::start("");
    for policy in ["yes", "ask"] {
        let settings =
            configured(&sshd, &format!("Host x\nHost *\nStrictHostKeyChecking {policy}\nHost x\n"));
        let failed = failure(&settings).await;
        assert_eq!(
            (failed.error.kind(), failed.retryable),
            (ErrorKind::HostKey, false),
            "{policy}"
        );
        let advice = "add it to known_hosts, or set ssh_strict_host_key_checking=accept-new";
        assert!(failed.error.message().ends_with(advice), "{policy}: {}", failed.error);
        assert!(!sshd.path("known_hosts").exists(), "{policy}");
    }
    let strict = configured(&sshd, "StrictHostKeyChecking yes\n");
    let given = Settings { host_keys: Some(HostKeyPolicy::AcceptNew), ..strict };
    start(&given).await.unwrap();
    assert_eq!(fs::read_to_string(sshd.path("known_hosts")).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn without_any_policy_a_new_host_is_stored_and_a_changed_one_refused() {
    let sshd = Sshd::start("");
    let settings = configured(&sshd, "Host x\nPort 1\n");
    start(&settings).await.unwrap();
    let known = fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 1);
    keygen(&sshd.path("old"), "");
    let key = fs::read_to_string(sshd.path("old.pub")).unwrap();
    fs::write(sshd.path("known_hosts"), format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    assert_eq!(failure(&settings).await.error.kind(), ErrorKind::HostKey);
}

#[tokio::test]
async fn the_users_signs_of_life_hold_unless_the_data_has_some() {
    let sshd = Sshd::start("");
    for (text, given, expected) in [
        ("", None, "serveraliveinterval 5"),
        ("ServerAliveInterval 77\n", None, "serveraliveinterval 77"),
        ("Host x\nServerAliveInterval 77\n", None, "serveraliveinterval 5"),
        ("ServerAliveInterval 77\n", Some(30), "serveraliveinterval 10"),
    ] {
        let settings = Settings { server_alive_interval: given, ..configured(&sshd, text) };
        let (_run, master) = start(&settings).await.unwrap();
        let config = master.directory().join("config");
        let said = Command::new("ssh").arg("-G").arg("-F").arg(config).arg("h").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.lines().any(|line| line == expected), "{text}: {said}");
    }
}

#[tokio::test]
async fn without_known_hosts_every_host_is_new() {
    let sshd = Sshd::start("");
    let none = Settings { known_hosts_file: Some("none".into()), ..sshd.with_key() };
    start(&none).await.unwrap();
    start(&Settings { host_keys: None, ..none.clone() }).await.unwrap();
    let strict = Settings { host_keys: Some(HostKeyPolicy::Yes), ..none };
    assert_eq!(failure(&strict).await.error.kind(), ErrorKind::HostKey);
}

#[tokio::test]
async fn two_hops_and_their_target_may_use_one_locked_key() {
    let sshd = Sshd::start("");
    let key = sshd.path("locked");
    keygen(&key, "phrase");
    fs::copy(sshd.path("locked.pub"), sshd.path("authorized")).unwrap();
    let text = format!("IdentityFile {}\nUser root\nPort {}\n", key.display(), sshd.port);
    let settings = Settings {
        host: "127.0.1.3".to_owned(),
        key: Some(key),
        key_password: Some(Secret::from("phrase")),
        proxy_jump: Some("127.0.1.1,127.0.1.2".to_owned()),
        ..configured(&sshd, &text)
    };
    let (_run, master) = start(&settings).await.unwrap();
    assert_eq!(run(&master, "echo hi"), "hi\n");
}

/// An agent with one key.
struct Agent(Child);

impl Agent {
    fn start(socket: &Path, key: &Path) -> Self {
        let mut agent = Command::new("ssh-agent");
        let agent = agent.arg("-D").arg("-a").arg(socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self(agent);
        let mut add = Command::new("ssh-add");
        add.arg(key).env("SSH_AUTH_SOCK", socket).stderr(Stdio::null());
        until("the agent has the key", || add.status().unwrap().success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn keys_there(master: &Master) -> String {
    let socket = master.control_path();
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-A", "-S"]).arg(socket).args(["--", "host", "ssh-add -L"]);
    String::from_utf8(ssh.output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn an_agent_that_is_only_forwarded_offers_no_key() {
    let sshd = Sshd::start("");
    let socket = sshd.path("agent");
    let _agent = Agent::start(&socket, &sshd.key());
    let environment = [("SSH_AUTH_SOCK".to_owned(), socket.display().to_string())].into();
    let context = Context { environment, ..Context::default() };
    for look_for_keys in [true, false] {
        let settings = Settings { forward_agent: true, look_for_keys, ..sshd.settings() };
        let failed = start_in(&settings, &context).await.map(drop).unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::Auth);
        assert!(!sshd.log().contains("Accepted publickey"), "{}", sshd.log());
    }
    let other = sshd.path("other");
    keygen(&other, "");
    fs::copy(sshd.path("other.pub"), sshd.path("authorized")).unwrap();
    let settings = Settings { forward_agent: true, key: Some(other), ..sshd.settings() };
    let (_run, master) = start_in(&settings, &context).await.unwrap();
    let key = fs::read_to_string(sshd.path("user.pub")).unwrap();
    let blob = key.split_whitespace().nth(1).unwrap();
    assert!(keys_there(&master).contains(blob), "{}", keys_there(&master));
}
