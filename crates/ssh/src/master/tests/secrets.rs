//! No secret is where another user, or a later one, could read it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostlink_core::{Context, Prompter, Result, Secret};

use crate::settings::Settings;

use super::sshd::{Sshd, User, random, start_in, until};

/// The files below this directory, and the arguments and environments of all processes, that have
/// the text.
fn places_with(text: &str, directory: &Path) -> Vec<PathBuf> {
    let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let mut places: Vec<PathBuf> =
        pids.flat_map(|pid| [pid.join("cmdline"), pid.join("environ")]).collect();
    collect_files(directory, &mut places);
    places.retain(|place| {
        let bytes = fs::read(place).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    });
    places
}

fn collect_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.unwrap();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect_files(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn the_search_finds_what_is_planted() {
    let secret = random(20);
    let directory = tempfile::tempdir().unwrap();
    assert!(places_with(&secret, directory.path()).is_empty());
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/f"), format!("x{secret}y")).unwrap();
    let spawn = |command: &mut Command| command.stdin(Stdio::piped()).spawn().unwrap();
    let mut children = [
        spawn(Command::new("sh").args(["-c", "read -r x; :", &secret])),
        spawn(Command::new("sh").args(["-c", "read -r x; :"]).env("X", &secret)),
    ];
    until("all are found", || places_with(&secret, directory.path()).len() >= 3);
    for child in &mut children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// Looks around while ssh waits for the answer.
#[derive(Debug)]
struct LooksAround {
    secret: String,
    directory: PathBuf,
    found: Mutex<Option<Vec<PathBuf>>>,
}

#[async_trait]
impl Prompter for LooksAround {
    async fn ask_secret(&self, _target: &str, _question: &str) -> Result<Secret> {
        *self.found.lock().unwrap() = Some(places_with(&self.secret, &self.directory));
        Ok(Secret::from(self.secret.as_str()))
    }
}

#[tokio::test]
async fn no_secret_is_in_arguments_environments_or_files() {
    let bastion = Sshd::start("");
    let inner = Sshd::start("");
    let secret = random(20);
    let user = User::new(&secret);
    let runtime = tempfile::tempdir_in("/tmp").unwrap();
    let prompter = Arc::new(LooksAround {
        secret: secret.clone(),
        directory: runtime.path().to_owned(),
        found: Mutex::default(),
    });
    let context = Context {
        prompter: prompter.clone(),
        runtime_directory: Some(runtime.path().to_owned()),
        ..Context::default()
    };
    let settings = Settings {
        password: None,
        proxy_jump: Some(format!("{}@127.0.0.1:{}", user.name, bastion.port)),
        proxy_jump_password: Some(Secret::from(secret.as_str())),
        ..user.log_in(inner.settings())
    };
    let (_run, master) = start_in(&settings, &context).await.unwrap();
    assert_eq!(prompter.found.lock().unwrap().as_deref(), Some(&[][..]));
    assert_eq!(places_with(&secret, runtime.path()), Vec::<PathBuf>::new());
    assert!(
        fs::read_dir(master.directory()).unwrap().count() > 3,
        "there was something to look at"
    );
}
