//! No secret is where another user of this machine could read it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostlink::connect::Prompter;
use hostlink::{Context, Result, Secret, StringCommand};
use hostlink_tests::cli::wait_until;
use hostlink_tests::keys::{KeyType, Keys};
use hostlink_tests::secret_search::{new_secret, processes_with};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

use crate::ssh_logins::scene::{believing, connect_to, context, known_to, text, user_of};

#[test]
fn the_search_finds_what_is_planted() {
    let secrets = [new_secret(), new_secret()];
    assert_eq!(processes_with(&secrets), Vec::<PathBuf>::new());
    let spawn = |command: &mut Command| command.stdin(Stdio::piped()).spawn().unwrap();
    let children = [
        spawn(Command::new("sh").args(["-c", "read -r x; :", &secrets[0]])),
        spawn(Command::new("sh").args(["-c", "read -r x; :"]).env("X", &secrets[1])),
    ];
    let mut expected = vec![
        format!("/proc/{}/cmdline", children[0].id()),
        format!("/proc/{}/environ", children[1].id()),
    ];
    expected.sort_unstable();
    let found = || {
        let mut found: Vec<String> = processes_with(&secrets).iter().map(|it| text(it)).collect();
        found.sort_unstable();
        found
    };
    wait_until("both are found", || found() == expected);
    for mut child in children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// Searches for secrets while ssh waits for the answer.
#[derive(Debug)]
struct LooksAround {
    answer: String,
    secrets: Vec<String>,
    found: Mutex<Vec<Vec<PathBuf>>>,
}

#[async_trait]
impl Prompter for LooksAround {
    async fn ask_secret(&self, _target: &str, _question: &str) -> Result<Secret> {
        self.found.lock().unwrap().push(processes_with(&self.secrets));
        Ok(Secret::from(self.answer.as_str()))
    }
}

/// A password for the bastion, one for the target, and a code from a prompter that searches for
/// them when asked.
#[tokio::test]
async fn no_password_is_in_an_argument_or_an_environment() {
    let [of_bastion, of_target] = [new_secret(), new_secret()];
    let (guard, user) = (TestUser::create("/bin/sh"), TestUser::create("/bin/sh"));
    guard.set_password(&of_bastion);
    user.set_password(&of_target);
    let bastion = Sshd::builder().passwords().start();
    let inner = Sshd::builder().two_prompts().start();
    let known = known_to(&[&bastion, &inner]);
    // The code is not searched for: its six digits occur elsewhere too.
    let secrets = [of_bastion.clone(), of_target.clone()];
    let prompter = Arc::new(LooksAround {
        answer: user.second_factor(),
        secrets: secrets.to_vec(),
        found: Mutex::default(),
    });
    let context = Context { prompter: prompter.clone(), ..context() };
    let data = believing(known.path())
        .with("ssh_config_file", "none")
        .with("ssh_password", of_target)
        .with("ssh_proxy_jump", format!("{}@127.0.0.1:{}", guard.name(), bastion.port()))
        .with("ssh_proxy_jump_password", of_bastion);
    let target = format!("{}@127.0.0.1:{}", user.name(), inner.port());
    let link = connect_to(&target, &data, &context).await;
    looks_clean_while_a_command_runs(&link, &secrets).await;
    assert_eq!(*prompter.found.lock().unwrap(), [Vec::<PathBuf>::new()]);
}

#[tokio::test]
async fn no_passphrase_is_in_an_argument_or_an_environment() {
    let (sshd, phrase) = (Sshd::builder().start(), new_secret());
    let key = Keys::new().make_with_passphrase(KeyType::Ed25519, &phrase);
    sshd.authorize(&key.public());
    let data = believing(&sshd.known_hosts())
        .with("ssh_config_file", "none")
        .with("ssh_key", text(key.path()))
        .with("ssh_key_password", phrase.as_str());
    let target = format!("root@127.0.0.1:{}", sshd.port());
    let link = connect_to(&target, &data, &context()).await;
    assert_eq!(user_of(&link).await, "root");
    looks_clean_while_a_command_runs(&link, &[phrase]).await;
}

async fn looks_clean_while_a_command_runs(link: &hostlink::Link, secrets: &[String]) {
    let mark = format!("hostlink-mark-{}", new_secret());
    // The shell stays, with the mark among its arguments, until the file is gone.
    let file = std::env::temp_dir().join(&mark);
    fs::write(&file, "").unwrap();
    let line = format!("while [ -e {} ]; do sleep 0.05; done", text(&file));
    let command = StringCommand::shell(&line);
    let arguments = hostlink::ConnectorArguments::new();
    let running = link.run_shell_command(&command, &arguments);
    let looking = tokio::task::spawn_blocking({
        let secrets = secrets.to_vec();
        move || {
            let is_there = || processes_with(std::slice::from_ref(&mark));
            wait_until("the command runs", || !is_there().is_empty());
            let found = processes_with(&secrets);
            fs::remove_file(file).unwrap();
            found
        }
    });
    let (output, found) = tokio::join!(running, looking);
    assert!(output.unwrap().success());
    assert_eq!(found.unwrap(), Vec::<PathBuf>::new());
}
