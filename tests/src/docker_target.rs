//! A target of `@docker`, and what is told about it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hostlink::{
    CommandOutput, ConnectorArguments, Context, Data, Event, Link, Reporter, Result, StringCommand,
    Value, builtin_registry,
};

use crate::cli;
use crate::container::{LABEL, succeed};
use crate::keeper::unique_name;

/// A target's name, its data, and what is told about it.
#[derive(Clone, Debug)]
pub struct DockerTarget {
    /// The name.
    pub name: String,
    /// The data.
    pub data: Data,
    /// What connecting is given.
    pub context: Context,
    told: Arc<Told>,
}

impl DockerTarget {
    /// A container, or an image, of the machine's engine.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let told = Arc::new(Told::default());
        let context = Context { reporter: told.clone(), ..Context::default() };
        Self { name: format!("@docker/{name}"), data: Data::new(), context, told }
    }

    /// Adds to the data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key, value);
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.context.environment.insert(name.to_owned(), value.into());
        self
    }

    /// A link to it.
    ///
    /// # Errors
    ///
    /// The connector's.
    pub async fn try_connect(&self) -> Result<Link> {
        builtin_registry().connect(&self.name, &self.data, &self.context).await
    }

    /// A link to it.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn connect(&self) -> Link {
        self.try_connect().await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// The image that was made at the end.
    #[must_use]
    pub fn committed(&self) -> Option<String> {
        let told = self.told();
        let line = told.iter().rev().find_map(|line| line.strip_prefix("committed to "))?;
        line.split(' ').next().map(str::to_owned)
    }

    /// What was told that is no detail.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.told.0.lock().expect("nobody panics with it").clone()
    }
}

/// Keeps notices and warnings.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Reporter for Told {
    fn report(&self, _target: &str, event: Event<'_>) {
        if let Event::Notice(text) | Event::Warning(text) = event {
            self.0.lock().expect("nobody panics with it").push(text.to_owned());
        }
    }
}

/// Runs a line for the shell.
///
/// # Panics
///
/// If it cannot be run. How it ends is for the caller to see.
pub async fn ran(link: &Link, line: &str) -> CommandOutput {
    let arguments = ConnectorArguments::new();
    let output = link.run_shell_command(&StringCommand::shell(line), &arguments).await;
    output.unwrap_or_else(|error| panic!("{line}: {error:?}"))
}

/// What the docker command prints, trimmed.
///
/// # Panics
///
/// If it fails.
pub fn docker<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> String {
    succeed(cli::command(Path::new("docker"), words), b"").trim().to_owned()
}

/// The containers of this engine with a label, whether they run or not: their IDs, with the label's
/// value. It is one look, since those of other tests come and go.
#[must_use]
pub fn labelled(label: &str) -> Vec<(String, String)> {
    let filter = format!("label={label}");
    let format = format!("{{{{.ID}}}} {{{{.Label {label:?}}}}}");
    let list = ["container", "ls", "--all", "--no-trunc", "--filter", &filter, "--format", &format];
    let listed = docker(list);
    let lines = listed.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    lines.map(|(id, value)| (id.to_owned(), value.to_owned())).collect()
}

/// A container that somebody else has made, by its name or ID; it goes with this value.
#[derive(Debug)]
pub struct Theirs(pub String);

impl Theirs {
    /// Runs one with these words: options, the image and a command.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn new(words: &[&str]) -> Self {
        let name = unique_name();
        let fixed = ["run", "--detach", "--interactive", "--label", LABEL, "--name", &name];
        docker(fixed.iter().chain(words));
        Self(name)
    }

    /// The engine's word for how it is.
    ///
    /// # Panics
    ///
    /// If it is gone.
    #[must_use]
    pub fn state(&self) -> String {
        docker(["inspect", "--format", "{{.State.Status}}", &self.0])
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let remove = ["rm", "--force", "--volumes", &self.0];
        let _ = cli::run(cli::command(Path::new("docker"), remove));
    }
}

/// An image that goes with this value.
#[derive(Debug)]
pub struct Removed(pub String);

impl Drop for Removed {
    fn drop(&mut self) {
        let remove = ["image", "rm", "--force", &self.0];
        let _ = cli::run(cli::command(Path::new("docker"), remove));
    }
}
