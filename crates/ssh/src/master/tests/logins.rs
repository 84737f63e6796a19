//! What a login can be made with.

use std::fs;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostlink_core::{Context, ErrorKind, Prompter, Result, Secret};

use crate::settings::Settings;

use super::sshd::{Sshd, User, failure, keygen, run, start, start_in};

const WORST: &str = r#" a "b" 'c' \d $HOME %h `id` ü€ #!"#;

#[tokio::test]
async fn a_key_logs_in() {
    let sshd = Sshd::start("");
    let (_run, master) = start(&sshd.with_key()).await.unwrap();
    assert_eq!(run(&master, "echo hi"), "hi\n");
    assert!(master.is_alive());
    master.close().await;
    assert!(!master.is_alive() && !master.control_path().exists());
    master.close().await;
}

#[tokio::test]
async fn a_passphrase_unlocks_the_key() {
    let sshd = Sshd::start("");
    let key = sshd.path("it's 100% \"odd\"");
    keygen(&key, WORST);
    let public = fs::read(key.with_extension("pub")).unwrap();
    fs::write(sshd.path("authorized"), public).unwrap();
    let settings = Settings { key: Some(key.clone()), ..sshd.settings() };
    let right = Settings { key_password: Some(Secret::from(WORST)), ..settings.clone() };
    let (_run, master) = start(&right).await.unwrap();
    master.close().await;

    let wrong = Settings { key_password: Some(Secret::from("wrong")), ..settings.clone() };
    let failed = failure(&wrong).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Auth, false));
    assert!(failed.error.to_string().contains("passphrase of the key"), "{}", failed.error);

    let none = failure(&settings).await.error;
    assert!(none.to_string().contains("has a passphrase: set ssh_key_password"), "{none}");
}

#[tokio::test]
async fn a_password_of_any_characters_logs_in() {
    let sshd = Sshd::start("KbdInteractiveAuthentication no");
    let user = User::new(WORST);
    let (_run, master) = start(&user.log_in(sshd.settings())).await.unwrap();
    assert_eq!(run(&master, "id -un").trim(), user.name);
    assert!(!sshd.log().contains("Failed password"), "{}", sshd.log());
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_named() {
    let sshd = Sshd::start("KbdInteractiveAuthentication no");
    let user = User::new("right");
    let settings = user.log_in(sshd.settings());
    let failed = failure(&Settings { password: Some(Secret::from("wr0ng")), ..settings }).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Auth, false));
    let shown = format!("{} {:?}", failed.error, failed.error);
    assert!(shown.contains("refused the password; it accepts: publickey, password"), "{shown}");
    assert!(!shown.contains("wr0ng"), "{shown}");
    assert_eq!(sshd.log().matches("Failed password").count(), 1, "{}", sshd.log());
}

#[tokio::test]
async fn keyboard_interactive_logs_in() {
    let sshd = Sshd::start("KbdInteractiveAuthentication yes\nPasswordAuthentication no");
    let user = User::new(WORST);
    let settings = user.log_in(sshd.settings());
    let (_run, master) = start(&settings).await.unwrap();
    assert_eq!(run(&master, "id -un").trim(), user.name);
    let wrong = Settings { password: Some(Secret::from("wrong")), ..settings };
    let error = failure(&wrong).await.error;
    assert!(error.to_string().contains("refused the password"), "{error}");
}

#[tokio::test]
async fn without_a_password_nothing_is_tried_and_the_key_to_set_is_named() {
    let sshd = Sshd::start("");
    let user = User::new("right");
    let settings = Settings { password: None, ..user.log_in(sshd.settings()) };
    let error = failure(&settings).await.error;
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().ends_with("wants a password: set ssh_password"), "{error}");
    assert!(!sshd.log().contains("Failed password"), "{}", sshd.log());
}

/// Answers every question, and remembers it.
#[derive(Debug)]
struct Knows(&'static str, Mutex<Vec<String>>);

#[async_trait]
impl Prompter for Knows {
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret> {
        self.1.lock().unwrap().push(format!("{target}: {question}"));
        Ok(Secret::from(self.0))
    }
}

#[tokio::test]
async fn the_prompter_is_asked_for_what_is_not_given() {
    let sshd = Sshd::start("");
    let user = User::new("right");
    let settings = Settings { password: None, ..user.log_in(sshd.settings()) };
    let prompter = Arc::new(Knows("right", Mutex::default()));
    let context = Context { prompter: prompter.clone(), ..Context::default() };
    start_in(&settings, &context).await.unwrap();
    let asked = prompter.1.lock().unwrap();
    assert_eq!(*asked, [format!("host: the password of {}@127.0.0.1", user.name)]);
}

#[tokio::test]
async fn a_refused_key_is_named_with_what_the_server_accepts() {
    let sshd = Sshd::start("PasswordAuthentication no\nKbdInteractiveAuthentication no");
    let key = sshd.path("other");
    keygen(&key, "");
    let error = failure(&Settings { key: Some(key.clone()), ..sshd.settings() }).await.error;
    assert_eq!(error.kind(), ErrorKind::Auth);
    let text = error.to_string();
    assert!(text.contains("it accepts: publickey; tried the keys "), "{text}");
    assert!(text.contains(&key.display().to_string()), "{text}");
}

#[tokio::test]
async fn too_many_keys_are_named() {
    let sshd = Sshd::start("MaxAuthTries 1");
    let [one, two] = ["one", "two"].map(|name| sshd.path(name));
    keygen(&one, "");
    keygen(&two, "");
    let options = vec![format!("IdentityFile={}", two.display())];
    let settings = Settings { key: Some(one), options, ..sshd.settings() };
    let error = failure(&settings).await.error;
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("after too many tries"), "{error}");
}

#[tokio::test]
async fn a_jump_and_its_target_each_get_their_own_password() {
    let bastion = Sshd::start("");
    let inner = Sshd::start("");
    let (guard, user) = (User::new("of the bastion"), User::new("of the target"));
    // Both are 127.0.0.1, and so would have the same name in ssh's questions but for the user.
    let settings = Settings {
        proxy_jump: Some(format!("{}@127.0.0.1:{}", guard.name, bastion.port)),
        proxy_jump_password: Some(Secret::from("of the bastion")),
        ..user.log_in(inner.settings())
    };
    let (_run, master) = start(&settings).await.unwrap();
    assert_eq!(run(&master, "id -un").trim(), user.name);
    for log in [bastion.log(), inner.log()] {
        assert!(log.contains("Accepted") && !log.contains("Failed "), "{log}");
    }
    let unknown = Settings { proxy_jump_password: None, ..settings };
    let error = failure(&unknown).await.error;
    let hop = format!(
        "the jump host {}@127.0.0.1 wants a password: set ssh_proxy_jump_password",
        guard.name
    );
    assert_eq!((error.kind(), error.message()), (ErrorKind::Auth, &*hop));
    assert!(!bastion.log().contains("Failed "), "{}", bastion.log());
}

#[tokio::test]
async fn a_jump_as_the_same_user_of_the_same_name_does_not_get_the_targets_password() {
    let bastion = Sshd::start("");
    let inner = Sshd::start("");
    let user = User::new("secret");
    let settings = Settings {
        proxy_jump: Some(format!("{}@127.0.0.1:{}", user.name, bastion.port)),
        ..user.log_in(inner.settings())
    };
    let error = failure(&settings).await.error;
    assert!(error.message().contains("the jump host"), "{error}");
    let log = bastion.log();
    assert!(!log.contains("Failed ") && !log.contains("Accepted"), "{log}");
}

#[tokio::test]
async fn the_users_forwards_are_left_out_and_a_forward_of_ours_works() {
    let sshd = Sshd::start("");
    let config = sshd.path("ssh_config");
    let port = sshd.port;
    fs::write(&config, format!("Host *\nLocalForward {port} localhost:1\nRemoteCommand false\n"))
        .unwrap();
    let settings = Settings { config_file: Some(config), ..sshd.with_key() };
    let (_run, master) = start(&settings).await.unwrap();
    let socket = master.directory().join("f");
    let forwarded = std::process::Command::new("ssh")
        .args(["-F", "none", "-O", "forward", "-S"])
        .arg(master.control_path())
        .arg("-L")
        .arg(format!("{}:127.0.0.1:{port}", socket.display()))
        .arg("host")
        .status();
    assert!(forwarded.unwrap().success());
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let mut banner = [0; 8];
    std::io::Read::read_exact(&mut stream, &mut banner).unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
}

#[tokio::test]
async fn the_users_configuration_holds_and_ours_reaches_every_hop() {
    let sshd = Sshd::start("");
    let home = sshd.path("home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    let (key, port) = (sshd.key(), sshd.port);
    let text = format!(
        "Host inner\nHostName 127.0.1.3\nProxyJump middle\nHost middle\nHostName 127.0.1.2\nProxyJump outer\n\
         Host outer\nHostName 127.0.1.1\nHost *\nPort {port}\nUser root\nIdentityFile {}\n\
         StrictHostKeyChecking yes\nUserKnownHostsFile /dev/null\nControlMaster auto\nControlPath /nowhere/%C\n\
         ControlPersist 60\nLocalForward {port} localhost:1\n",
        key.display()
    );
    fs::write(home.join(".ssh/config"), text).unwrap();
    let context = Context { home: Some(home), ..Context::default() };
    let settings = Settings {
        host: "inner".to_owned(),
        port: None,
        user: None,
        look_for_keys: true,
        config_file: None,
        ..sshd.settings()
    };
    let (_run, master) = start_in(&settings, &context).await.unwrap();
    assert_eq!(run(&master, "echo $SSH_CONNECTION | cut -d' ' -f3").trim(), "127.0.1.3");
    let known = fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 3, "{known}");
}
