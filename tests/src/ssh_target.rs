//! An sshd of a test's own, and the login on it as hostlink's data names it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hostlink::{
    ConnectorArguments, Context, Data, Event, Link, Reporter, Result, StringCommand, Value,
    builtin_registry,
};

use crate::keys::{Key, KeyType, Keys};
use crate::processes::processes;
use crate::ssh_host::login_data;
use crate::sshd::{Sshd, SshdBuilder};

/// A line for sshd_config(5), with which shells find no start-up files.
pub const NO_HOME: &str = "SetEnv HOME=/nonexistent";

/// A server and a key that it lets in. Both end with this value.
#[derive(Debug)]
pub struct SshTarget {
    /// The server.
    pub sshd: Sshd,
    /// All that is needed to log in.
    pub data: Data,
    /// The key.
    pub key: Key,
}

impl SshTarget {
    /// This server, and root on it, whose shell finds none of the start-up files that root has on
    /// this machine: they may take long, and wait for one another.
    #[must_use]
    pub fn start(builder: SshdBuilder) -> Self {
        Self::as_user("root", builder.config(NO_HOME))
    }

    /// This server, and somebody on it.
    #[must_use]
    pub fn as_user(user: &str, builder: SshdBuilder) -> Self {
        let (sshd, key) = (builder.start(), Keys::new().make(KeyType::Ed25519));
        sshd.authorize(&key.public());
        let data = login_data(user, sshd.port(), key.path(), &sshd.known_hosts());
        Self { sshd, data, key }
    }

    /// Adds to the data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key, value);
        self
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.sshd.address().to_string()
    }

    /// A link to it.
    ///
    /// # Panics
    ///
    /// If there is none, with what the server said.
    pub async fn connect(&self) -> Link {
        let link = self.connect_in(&Context::default()).await;
        link.unwrap_or_else(|error| panic!("{error:?}\n{}", self.sshd.log()))
    }

    /// A link to it, over a connector of its own.
    ///
    /// # Errors
    ///
    /// The connector's.
    pub async fn connect_in(&self, context: &Context) -> Result<Link> {
        builtin_registry().connect(&self.name(), &self.data, context).await
    }

    /// What the command `hostlink` is given to reach it.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            // A list is shown as JSON has it.
            value => value.to_string(),
        };
        let pairs = self.data.iter().map(|(key, value)| format!("{key}={}", text(value)));
        pairs.flat_map(|pair| ["--data".to_owned(), pair]).chain([self.name()]).collect()
    }
}

/// What a line for the shell writes to its standard output.
///
/// # Panics
///
/// If it does not succeed.
pub async fn said(link: &Link, line: &str) -> String {
    let command = StringCommand::shell(line);
    let output = link.run_shell_command(&command, &ConnectorArguments::new()).await;
    let output = output.unwrap_or_else(|error| panic!("{line}: {error:?}"));
    assert!(output.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr()));
    String::from_utf8_lossy(&output.stdout()).into_owned()
}

/// The directory that the masters of a test are kept in, by which they are told from those of all
/// others.
#[derive(Debug)]
pub struct Traces(tempfile::TempDir);

impl Traces {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        // The name must be short: sockets go into it.
        let directory = tempfile::Builder::new().prefix("hlt-").tempdir_in("/tmp");
        Self(directory.expect("everybody may write /tmp"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A context whose masters are kept in it.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { runtime_directory: Some(self.path().to_owned()), ..Context::default() }
    }

    /// What is in it.
    ///
    /// # Panics
    ///
    /// If it is gone.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).expect("it is there");
        entries.flatten().map(|entry| entry.path()).collect()
    }

    /// The processes that have it in their arguments: watchers, masters, the proxies below them.
    #[must_use]
    pub fn processes(&self) -> Vec<String> {
        let mark = self.path().display().to_string();
        let line = |pid: u32| std::fs::read(format!("/proc/{pid}/cmdline")).ok();
        let lines = processes().into_iter().filter_map(|it| line(it.pid));
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&mark)).collect()
    }

    /// Whether there is nothing of either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files().is_empty() && self.processes().is_empty()
    }
}

impl Default for Traces {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps what is told at the level of details.
#[derive(Clone, Debug, Default)]
pub struct Details(Arc<Mutex<Vec<String>>>);

impl Details {
    /// A context that tells it.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { reporter: Arc::new(self.clone()), ..Context::default() }
    }

    /// All that was told with these words in it.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn with(&self, words: &str) -> Vec<String> {
        let told = self.0.lock().expect("nobody panics with it");
        told.iter().filter(|line| line.contains(words)).cloned().collect()
    }
}

impl Reporter for Details {
    fn report(&self, _target: &str, event: Event<'_>) {
        if let Event::Detail(text) = event {
            self.0.lock().expect("nobody panics with it").push(text.to_owned());
        }
    }
}
