//! What the tests share: a configuration that is really applied, and the connector's results.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hostlink::connect::SECRET_VARIABLES;
use hostlink::connector::{Connector, NameData};
use hostlink::connectors::TerraformConnector;
use hostlink::{Context, Data, ErrorKind, Result};
use hostlink_tests::cli::NO_CHECKPOINT;

/// A directory for one test.
#[derive(Debug)]
pub(crate) struct Directory(tempfile::TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes one with this configuration, not applied.
    pub(crate) fn with(configuration: &str) -> Self {
        let directory = Self::new();
        directory.write("main.tf", configuration);
        directory
    }

    /// Makes one with this configuration, applied.
    pub(crate) fn applied(configuration: &str) -> Self {
        let directory = Self::with(configuration);
        directory.terraform(&["init", "-input=false", "-no-color"]);
        directory.terraform(&["apply", "-auto-approve", "-input=false", "-no-color"]);
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs `terraform WORDS` here, and returns its standard output.
    pub(crate) fn terraform(&self, words: &[&str]) -> String {
        let mut command = Command::new("terraform");
        command.args(words).current_dir(self.path()).env(NO_CHECKPOINT.0, NO_CHECKPOINT.1);
        let output: Output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "terraform {}: {said}", words.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns a context in which this is Terraform's directory.
    pub(crate) fn context(&self) -> Context {
        context(Data::new().with("terraform_directory", text(self.path())))
    }

    /// Returns such a context, with this file, or none, as the configuration of Terraform's command
    /// line.
    pub(crate) fn context_with_cli_configuration(&self, file: Option<&str>) -> Context {
        let mut context = self.context();
        context.environment.remove("TF_CLI_CONFIG_FILE");
        let file = file.map(|file| ("TF_CLI_CONFIG_FILE".to_owned(), file.to_owned()));
        context.environment.extend(file);
        context
    }
}

/// Returns a context with these settings, and the environment of the test.
pub(crate) fn context(settings: Data) -> Context {
    let environment = std::env::vars().filter(|(key, _)| !SECRET_VARIABLES.contains(&key.as_str()));
    let no_checkpoint = (NO_CHECKPOINT.0.to_owned(), NO_CHECKPOINT.1.to_owned());
    let environment = environment.chain([no_checkpoint]).collect();
    Context { settings, environment, ..Context::default() }
}

/// Returns a context that reads a state, or saved JSON.
pub(crate) fn of_file(path: &Path) -> Context {
    context(Data::new().with("terraform_state", text(path)))
}

/// Returns a path as data.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the hosts that a new connector lists.
pub(crate) async fn listed(argument: Option<&str>, context: &Context) -> Result<Vec<NameData>> {
    TerraformConnector::new().make_names_data(argument, context).await
}

/// Returns the names of these hosts.
pub(crate) async fn names(argument: Option<&str>, context: &Context) -> Vec<String> {
    let hosts = listed(argument, context).await;
    hosts.unwrap().into_iter().map(|host| host.name).collect()
}

/// Returns the one line that it fails with, as invalid input.
pub(crate) async fn refused(argument: Option<&str>, context: &Context) -> String {
    let error = listed(argument, context).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Inventory | ErrorKind::Data), "{error:?}");
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}
