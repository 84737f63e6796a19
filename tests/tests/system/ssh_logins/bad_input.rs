//! Invalid input is refused before anything connects, with one line, also for the valid targets
//! beside it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hostlink::{Data, ErrorKind, Value};
use hostlink_tests::binary;
use hostlink_tests::cli::{code, command, run, stderr};
use hostlink_tests::keys::{Key, KeyType, Keys};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;
use tempfile::TempDir;

use crate::ssh_logins::scene::{
    assert_says, believing, connect, hostlink, key_of, on, one_line_of, refusal, text,
};

/// A server, a key for it, and a directory for a mark that must not appear.
struct Scene {
    sshd: Sshd,
    key: Key,
    dir: TempDir,
}

impl Scene {
    fn start() -> Self {
        let sshd = Sshd::builder().start();
        Self { key: key_of(&sshd), sshd, dir: tempfile::tempdir().unwrap() }
    }

    /// Returns data that work.
    fn data(&self) -> Data {
        on(&self.sshd, "root").with("ssh_key", text(self.key.path()))
    }

    /// Returns a name that works.
    fn name(&self) -> String {
        format!("root@127.0.0.1:{}", self.sshd.port())
    }

    fn mark(&self) -> PathBuf {
        self.dir.path().join("mark")
    }

    /// Returns a program that makes the mark, at a path without white space.
    fn program(&self) -> PathBuf {
        let program = self.dir.path().join("program");
        fs::write(&program, format!("#!/bin/sh\ntouch {}\n", text(&self.mark()))).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        program
    }

    /// Checks that these targets with this data fail with a line with these parts, and that nothing
    /// was done on any target.
    fn refuses(&self, targets: &str, data: &Data, parts: &[&str]) {
        let mark = format!("touch {}", text(&self.mark()));
        let line = one_line_of(hostlink(targets, data, &mark), 2);
        for part in parts {
            assert!(line.contains(part), "{part:?} is missing: {line}");
        }
        assert!(!self.mark().exists(), "{line}");
        assert!(!self.sshd.log().contains("Connection from"), "{line}: {}", self.sshd.log());
    }

    /// Checks that one invalid value is refused. `@local` does not read it, but is not used either.
    /// The library agrees.
    async fn refuses_data(&self, key: &str, value: impl Into<Value>, parts: &[&str]) {
        let mut data = self.data();
        data.insert(key, value);
        let error = refusal(&self.sshd, &data).await;
        assert_says(&error, ErrorKind::Data, &[&[key], parts].concat());
        self.refuses("@local,127.0.0.1", &data, &[&["127.0.0.1", key], parts].concat());
    }
}

#[test]
fn the_control_good_data_does_connect() {
    let it = Scene::start();
    let line = format!("touch {}", text(&it.mark()));
    assert_eq!(code(&run(hostlink("@local,127.0.0.1", &it.data(), &line))), 0);
    assert!(it.mark().exists() && it.sshd.log().contains("Connection from"));
}

#[tokio::test]
async fn a_key_that_is_missing() {
    let it = Scene::start();
    let path = text(&it.dir.path().join("missing"));
    it.refuses_data("ssh_key", path.as_str(), &[&path, "does not exist"]).await;
}

#[test]
fn a_key_that_cannot_be_read() {
    let (it, user) = (Scene::start(), TestUser::create("/bin/sh"));
    // The user may have no access to the build directory.
    let own = user.home().join("hostlink");
    fs::copy(binary(), &own).unwrap();
    let (name, own, key) = (user.name(), text(&own), text(it.key.path()));
    let data = format!("--data=ssh_key={key}");
    let words = ["-u", name, "--", &own, &data, &it.name(), "exec", "--", "true"];
    let mut refused = command(Path::new("runuser"), words);
    refused.current_dir("/");
    let line = one_line_of(refused, 2);
    assert!(line.contains("ssh_key") && line.contains(&key), "{line}");
    assert!(line.contains("cannot be read: Permission denied"), "{line}");
    assert!(!it.sshd.log().contains("Connection from"));
}

#[tokio::test]
async fn a_key_that_is_a_directory() {
    let it = Scene::start();
    let path = text(it.dir.path());
    it.refuses_data("ssh_key", path.as_str(), &[&path, "is a directory"]).await;
}

#[tokio::test]
async fn a_key_that_is_no_key() {
    let it = Scene::start();
    let path = it.dir.path().join("notes");
    fs::write(&path, "no key\n").unwrap();
    it.refuses_data("ssh_key", text(&path), &["is not a private key"]).await;
}

#[tokio::test]
async fn a_key_that_is_the_public_one() {
    let it = Scene::start();
    let path = text(&it.key.path().with_extension("pub"));
    it.refuses_data("ssh_key", path, &["is a public key", "without .pub"]).await;
}

#[tokio::test]
async fn a_key_that_is_open_to_others() {
    let it = Scene::start();
    fs::set_permissions(it.key.path(), Permissions::from_mode(0o644)).unwrap();
    let path = text(it.key.path());
    it.refuses_data("ssh_key", path, &["is open to others (mode 644)", "chmod 600"]).await;
}

#[tokio::test]
async fn ports_that_are_none() {
    let it = Scene::start();
    for port in [0, 70000, -1] {
        let shown = port.to_string();
        it.refuses_data("ssh_port", port, &[&shown, "a port from 1 to 65535"]).await;
    }
    it.refuses_data("ssh_port", "ssh", &["a port from 1 to 65535"]).await;
}

#[test]
fn ports_that_are_none_in_a_name_beside_a_good_one() {
    let it = Scene::start();
    let mut data = believing(&it.sshd.known_hosts());
    data.insert("ssh_key", text(it.key.path()));
    for port in ["0", "70000", "x"] {
        for bad in [format!("root@127.0.0.1:{port}"), format!("@ssh/127.0.0.1:{port}")] {
            let parts = [&*format!("127.0.0.1:{port}"), "a number from 1 to 65535"];
            it.refuses(&format!("{},{bad}", it.name()), &data, &parts);
            it.refuses(&format!("{bad},{}", it.name()), &data, &parts);
        }
    }
}

#[tokio::test]
async fn keys_that_do_not_exist() {
    let it = Scene::start();
    it.refuses_data("ssh_prot", 22, &["did you mean ssh_port?"]).await;
    it.refuses_data("ssh_keyfile", "x", &["there is no such key"]).await;
    it.refuses_data("ssh_user_name", "x", &["there is no such key"]).await;
    let replacement = &["ssh_options", "not paramiko"];
    it.refuses_data("ssh_paramiko_connect_kwargs", "x", replacement).await;
}

#[tokio::test]
async fn values_that_contradict_each_other() {
    let it = Scene::start();
    let with = |pairs: &[(&str, &str)]| {
        pairs.iter().fold(it.data(), |data, (key, value)| data.with(*key, *value))
    };
    for (pairs, parts) in [
        (
            &[("ssh_proxy_jump", "a"), ("ssh_proxy_command", "b")][..],
            &["cannot be combined with ssh_proxy_command"][..],
        ),
        (&[("ssh_control_path", "/x")], &["ssh_control_path", "ssh_key", "logged in already"]),
        (
            &[("ssh_connect_retry_min_delay", "2"), ("ssh_connect_retry_max_delay", "1")],
            &["ssh_connect_retry_min_delay", "2 s is more than"],
        ),
        (&[("ssh_options", "[\"ControlPath=/x\"]")], &["ssh_options", "ssh_control_path"]),
    ] {
        let data = with(pairs);
        it.refuses("@local,127.0.0.1", &data, parts);
    }
    let mut data = it.data().with("ssh_key_password", "hunter2");
    data.insert("ssh_key", Value::Null);
    let error = refusal(&it.sshd, &data).await;
    assert_says(&error, ErrorKind::Data, &["ssh_key_password", "has no effect without ssh_key"]);
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn all_faults_are_reported_together() {
    let it = Scene::start();
    let data = it.data().with("ssh_port", 0).with("ssh_usr", "x").with("ssh_connect_timeout", 0);
    it.refuses("@local,127.0.0.1", &data, &["ssh_port", "ssh_usr", "ssh_connect_timeout"]);
}

#[tokio::test]
async fn what_ssh_would_take_for_an_option() {
    let it = Scene::start();
    let option = format!("-oProxyCommand={}", text(&it.program()));
    let parts = ["begins with \"-\""];
    it.refuses_data("ssh_hostname", option.as_str(), &parts).await;
    it.refuses_data("ssh_user", option.as_str(), &parts).await;
    it.refuses_data("ssh_proxy_jump", option.as_str(), &parts).await;
    it.refuses_data("ssh_proxy_jump", format!("a,x@{option}"), &parts).await;
    it.refuses_data("ssh_proxy_jump", format!("{option}@a"), &parts).await;
    for bad in [
        format!("@ssh/{option}"),
        format!("@ssh/{option}@127.0.0.1"),
        format!("root@{option}"),
        format!("ssh://{option}"),
    ] {
        it.refuses(&format!("{},{bad}", it.name()), &it.data(), &parts);
    }
    // In brackets it is refused as a range before it could be an option.
    let bad = format!("@ssh/[{option}]:22");
    it.refuses(&format!("{},{bad}", it.name()), &it.data(), &["is no range"]);
}

#[tokio::test]
async fn the_control_such_a_command_does_run_when_it_is_meant() {
    let it = Scene::start();
    let data = it.data().with("ssh_proxy_command", text(&it.program()));
    assert_says(&refusal(&it.sshd, &data).await, ErrorKind::Connect, &["the proxy ended"]);
    assert!(it.mark().exists());
    assert_eq!(it.sshd.logins(), 0);
    // And as an option, if ssh were called without care.
    fs::remove_file(it.mark()).unwrap();
    let option = format!("-oProxyCommand={}", text(&it.program()));
    let output = run(command(Path::new("ssh"), ["-F", "none", &option, "host"]));
    assert!(it.mark().exists(), "{}", stderr(&output));
}

#[tokio::test]
async fn control_characters() {
    let it = Scene::start();
    let smuggled = format!("a\nProxyCommand {}", text(&it.program()));
    let parts = ["control character"];
    for key in ["ssh_hostname", "ssh_user", "ssh_proxy_jump", "ssh_key", "ssh_proxy_command"] {
        it.refuses_data(key, smuggled.as_str(), &parts).await;
        it.refuses_data(key, "a\u{1b}[2Jb", &parts).await;
    }
    let options = vec![Value::from(format!("User=a\nProxyCommand={}", text(&it.program())))];
    it.refuses_data("ssh_options", options, &parts).await;
    it.refuses(&format!("{},@ssh/a\nb", it.name()), &it.data(), &["\"a\\nb\" is not a target"]);
}

#[tokio::test]
async fn what_a_shell_would_read() {
    let it = Scene::start();
    let program = text(&it.program());
    for bad in [format!("$({program})"), format!("a;{program}"), format!("`{program}`")] {
        it.refuses_data("ssh_hostname", bad.as_str(), &["holds the character"]).await;
        it.refuses_data("ssh_proxy_jump", bad.as_str(), &["holds the character"]).await;
    }
}

#[tokio::test]
async fn a_password_in_a_name_is_refused_and_not_shown() {
    let it = Scene::start();
    let name = format!("ssh://root:hunter2@127.0.0.1:{}", it.sshd.port());
    let line = one_line_of(hostlink(&name, &believing(&it.sshd.known_hosts()), "true"), 2);
    assert!(line.contains("ssh_password") && !line.contains("hunter2"), "{line}");
}

#[tokio::test]
async fn an_invalid_certificate() {
    let it = Scene::start();
    let stranger = Keys::new().make(KeyType::Ed25519);
    let path = text(&stranger.path().with_extension("pub"));
    it.refuses_data("ssh_certificate", path, &["a public key without a signature"]).await;
    let mut data = it.data();
    data.insert("ssh_certificate", Value::Null);
    connect(&it.sshd, &data).await.disconnect().await.unwrap();
}
