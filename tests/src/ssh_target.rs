//! An sshd for one test, and the login on it as in hostlink's data.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hostlink::connect::{Event, Reporter};
use hostlink::{
    ConnectorArguments, Context, Data, Link, Result, StringCommand, Value, builtin_registry,
};

use crate::keys::{Key, KeyType, Keys};
use crate::processes::processes;
use crate::ssh_host::login_data;
use crate::sshd::{Sshd, SshdBuilder};

/// A line of sshd_config(5) with which shells find no start-up files.
pub const NO_HOME: &str = "SetEnv HOME=/nonexistent";

/// A server and a key that it accepts. Both end when this value is dropped.
#[derive(Debug)]
pub struct SshTarget {
    /// The server.
    pub sshd: Sshd,
    /// The data for a login.
    pub data: Data,
    /// The key.
    pub key: Key,
}

impl SshTarget {
    /// Logs in as root on this server, whose shell finds none of root's start-up files on this
    /// machine: they may take long, and wait for each other.
    #[must_use]
    pub fn start(builder: SshdBuilder) -> Self {
        Self::as_user("root", builder.config(NO_HOME))
    }

    /// Logs in as this user on this server.
    #[must_use]
    pub fn as_user(user: &str, builder: SshdBuilder) -> Self {
        let (sshd, key) = (builder.start(), Keys::new().make(KeyType::Ed25519));
        sshd.authorize(&key.public());
        let data = login_data(user, sshd.port(), key.path(), &sshd.known_hosts());
        Self { sshd, data, key }
    }

    /// Adds a value to the data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key, value);
        self
    }

    /// Returns the target's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.sshd.address().to_string()
    }

    /// Connects to it.
    ///
    /// # Panics
    ///
    /// If that fails, with the server's log.
    pub async fn connect(&self) -> Link {
        let link = self.connect_in(&Context::default()).await;
        link.unwrap_or_else(|error| panic!("{error:?}\n{}", self.sshd.log()))
    }

    /// Connects to it through a new connector.
    ///
    /// # Errors
    ///
    /// Returns the connector's error.
    pub async fn connect_in(&self, context: &Context) -> Result<Link> {
        builtin_registry().connect(&self.name(), &self.data, context).await
    }

    /// Returns the arguments by which the command `hostlink` reaches it.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            // A list is formatted as JSON.
            value => value.to_string(),
        };
        let pairs = self.data.iter().map(|(key, value)| format!("{key}={}", text(value)));
        pairs.flat_map(|pair| ["--data".to_owned(), pair]).chain([self.name()]).collect()
    }
}

/// Runs a line of shell, and returns its standard output.
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

/// The directory of a test's masters, which tells them apart from those of other tests.
#[derive(Debug)]
pub struct Traces(tempfile::TempDir);

impl Traces {
    /// Makes an empty directory.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        // The name must be short: sockets go into it.
        let directory = tempfile::Builder::new().prefix("hlt-").tempdir_in("/tmp");
        Self(directory.expect("/tmp is writable"))
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns a context whose masters are kept in it.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { runtime_directory: Some(self.path().to_owned()), ..Context::default() }
    }

    /// Returns its entries.
    ///
    /// # Panics
    ///
    /// If it is gone.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).expect("it is there");
        entries.flatten().map(|entry| entry.path()).collect()
    }

    /// Returns the processes that have it in their arguments: watchers, masters, the proxies below
    /// them.
    #[must_use]
    pub fn processes(&self) -> Vec<String> {
        let mark = self.path().display().to_string();
        let line = |pid: u32| std::fs::read(format!("/proc/{pid}/cmdline")).ok();
        let lines = processes().into_iter().filter_map(|it| line(it.pid));
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&mark)).collect()
    }

    /// Returns whether there are neither files nor processes.
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

/// Records reports at the level of details.
#[derive(Clone, Debug, Default)]
pub struct Details(Arc<Mutex<Vec<String>>>);

impl Details {
    /// Returns a context that reports to it.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { reporter: Arc::new(self.clone()), ..Context::default() }
    }

    /// Returns all reports that contain these words.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn with(&self, words: &str) -> Vec<String> {
        let told = self.0.lock().expect("no panic while it is held");
        told.iter().filter(|line| line.contains(words)).cloned().collect()
    }
}

impl Reporter for Details {
    fn report(&self, _target: &str, event: Event<'_>) {
        if let Event::Detail(text) | Event::Warning(text) = event {
            self.0.lock().expect("no panic while it is held").push(text.to_owned());
        }
    }
}
