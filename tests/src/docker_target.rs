//! A target of `@docker`, and the notices and warnings about it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hostlink::connect::{Event, Reporter};
use hostlink::{
    CommandOutput, ConnectorArguments, Context, Data, Link, Result, StringCommand, Value,
    builtin_registry,
};

use crate::cli;
use crate::container::{LABEL, succeed};
use crate::keeper::unique_name;

/// The name and data of a target, and the notices and warnings about it.
#[derive(Clone, Debug)]
pub struct DockerTarget {
    /// The name.
    pub name: String,
    /// The data.
    pub data: Data,
    /// The context for connecting.
    pub context: Context,
    told: Arc<Told>,
}

impl DockerTarget {
    /// Returns a target for a container, or an image, of the machine's engine.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let told = Arc::new(Told::default());
        let context = Context { reporter: told.clone(), ..Context::default() };
        Self { name: format!("@docker/{name}"), data: Data::new(), context, told }
    }

    /// Adds a value to the data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key, value);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.context.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Connects to the target.
    ///
    /// # Errors
    ///
    /// Returns the connector's error.
    pub async fn try_connect(&self) -> Result<Link> {
        builtin_registry().connect(&self.name, &self.data, &self.context).await
    }

    /// Connects to the target.
    ///
    /// # Panics
    ///
    /// If the connector fails.
    pub async fn connect(&self) -> Link {
        self.try_connect().await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Returns the image that was committed at the end.
    #[must_use]
    pub fn committed(&self) -> Option<String> {
        let told = self.told();
        let line = told.iter().rev().find_map(|line| line.strip_prefix("committed to "))?;
        line.split(' ').next().map(str::to_owned)
    }

    /// Returns the notices and warnings.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.told.0.lock().expect("no panic while it is held").clone()
    }
}

/// Records notices and warnings.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Reporter for Told {
    fn report(&self, _target: &str, event: Event<'_>) {
        if let Event::Notice(text) | Event::Warning(text) = event {
            self.0.lock().expect("no panic while it is held").push(text.to_owned());
        }
    }
}

/// Runs a line of shell.
///
/// # Panics
///
/// If it cannot be run. The caller checks how it ends.
pub async fn ran(link: &Link, line: &str) -> CommandOutput {
    let arguments = ConnectorArguments::new();
    let output = link.run_shell_command(&StringCommand::shell(line), &arguments).await;
    output.unwrap_or_else(|error| panic!("{line}: {error:?}"))
}

/// Runs the docker command, and returns its output, trimmed.
///
/// # Panics
///
/// If the command fails.
pub fn docker<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> String {
    succeed(cli::command(Path::new("docker"), words), b"").trim().to_owned()
}

/// Returns the containers of this engine with a label, running or not: their IDs, with the label's
/// value. It is one query, since containers of other tests come and go.
#[must_use]
pub fn labelled(label: &str) -> Vec<(String, String)> {
    let filter = format!("label={label}");
    let format = format!("{{{{.ID}}}} {{{{.Label {label:?}}}}}");
    let list = ["container", "ls", "--all", "--no-trunc", "--filter", &filter, "--format", &format];
    let listed = docker(list);
    let lines = listed.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    lines.map(|(id, value)| (id.to_owned(), value.to_owned())).collect()
}

/// A container that hostlink has not made, by its name or ID. Dropping this value removes it.
#[derive(Debug)]
pub struct ForeignContainer(pub String);

impl ForeignContainer {
    /// Runs a container with these arguments: options, the image and a command.
    ///
    /// # Panics
    ///
    /// If the container does not start.
    #[must_use]
    pub fn new(words: &[&str]) -> Self {
        let name = unique_name();
        let fixed = ["run", "--detach", "--interactive", "--label", LABEL, "--name", &name];
        docker(fixed.iter().chain(words));
        Self(name)
    }

    /// Returns the engine's name for its state.
    ///
    /// # Panics
    ///
    /// If the container is gone.
    #[must_use]
    pub fn state(&self) -> String {
        docker(["inspect", "--format", "{{.State.Status}}", &self.0])
    }
}

impl Drop for ForeignContainer {
    fn drop(&mut self) {
        let remove = ["rm", "--force", "--volumes", &self.0];
        let _ = cli::run(cli::command(Path::new("docker"), remove));
    }
}

/// Removes an image when dropped.
#[derive(Debug)]
pub struct RemovedImage(pub String);

impl Drop for RemovedImage {
    fn drop(&mut self) {
        let remove = ["image", "rm", "--force", &self.0];
        let _ = cli::run(cli::command(Path::new("docker"), remove));
    }
}
