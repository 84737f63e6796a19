//! What a case is given.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use hostlink_core::{
    CommandOutput, ConnectorArguments, Context, Link, Result, Stdin, StringCommand,
};
use tempfile::TempDir;

use crate::fixture::Fixture;
use crate::recorder::Recorder;

/// A link to try, a second one to check with, and a scratch directory at each end.
pub(crate) struct Scene {
    pub(crate) fixture: Arc<dyn Fixture>,
    /// The link that is tried.
    pub(crate) link: Link,
    /// Looks at what the first one did. What only one link sees is not on the target.
    witness: Link,
    /// What the link that is tried has reported.
    pub(crate) recorder: Arc<Recorder>,
    there: String,
    here: TempDir,
}

impl Scene {
    pub(crate) async fn open(fixture: Arc<dyn Fixture>) -> anyhow::Result<Self> {
        let recorder = Arc::new(Recorder::default());
        let context = Context { reporter: recorder.clone(), ..Context::default() };
        let link = fixture.connect(&context).await?;
        let witness = fixture.connect(&Context::default()).await?;
        let here = tempfile::Builder::new().prefix("hl-case-").tempdir()?;
        let line = "mktemp -d /tmp/hl-case-XXXXXXXX".into();
        let made = witness.run_shell_command(&line, &plain()).await?.check()?;
        let there = String::from_utf8(made.stdout())?.trim().to_owned();
        Ok(Self { fixture, link, witness, recorder, there, here })
    }

    /// Removes the scratch directories and closes the links.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.link.disconnect().await?;
        // A directory without write permission cannot be emptied, except by root.
        let line = format!("chmod -R u+rwx {0} 2>/dev/null; rm -rf {0}", self.there);
        self.witness.run_shell_command(&line.into(), &plain()).await?.check()?;
        self.witness.disconnect().await?;
        Ok(())
    }

    /// A second link of its own, as a caller opens it.
    pub(crate) async fn another_link(&self) -> Result<Link> {
        self.fixture.connect(&Context::default()).await
    }

    /// Runs a line on the link that is tried.
    pub(crate) async fn run(&self, line: impl Into<StringCommand>) -> Result<CommandOutput> {
        self.run_with(line, &plain()).await
    }

    /// The same, with arguments.
    pub(crate) async fn run_with(
        &self,
        line: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
    ) -> Result<CommandOutput> {
        self.link.run_shell_command(&line.into(), arguments).await
    }

    /// A path in the scratch directory of the target.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.there)
    }

    /// The scratch directory of the target.
    pub(crate) fn directory(&self) -> &str {
        &self.there
    }

    /// A path in the scratch directory of this machine.
    pub(crate) fn here(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    /// A file of this machine with this content.
    pub(crate) fn file_here(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.here(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// What the witness sees, which runs `line` in the scratch directory.
    pub(crate) async fn look(&self, line: &str) -> anyhow::Result<Vec<u8>> {
        let output = self.witness_runs(&line.into(), &plain()).await?;
        Ok(output.check().with_context(|| format!("the witness ran: {line}"))?.stdout())
    }

    /// The same as text, without white space around it.
    pub(crate) async fn look_text(&self, line: &str) -> anyhow::Result<String> {
        Ok(String::from_utf8(self.look(line).await?)?.trim().to_owned())
    }

    /// Whether the witness finds that `line` succeeds.
    pub(crate) async fn holds(&self, line: &str) -> anyhow::Result<bool> {
        Ok(self.witness_runs(&line.into(), &plain()).await?.success())
    }

    /// Lets the witness run a command in the scratch directory.
    pub(crate) async fn witness_runs(
        &self,
        command: &StringCommand,
        arguments: &ConnectorArguments,
    ) -> Result<CommandOutput> {
        let arguments = arguments.clone().with_chdir(self.there.as_str());
        self.witness.run_shell_command(command, &arguments).await
    }

    /// The content of a file of the target.
    pub(crate) async fn content(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let command = StringCommand::from_words(["cat", "--", path]);
        Ok(self.witness_runs(&command, &plain()).await?.check()?.stdout())
    }

    /// Makes a file of the target in the scratch directory, without the code for files; returns its path.
    pub(crate) async fn plant(&self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        let path = self.path(name);
        let command = StringCommand::shell("cat >").arg(&path);
        let arguments = plain().with_stdin(Stdin::bytes(content.to_vec()));
        self.witness_runs(&command, &arguments).await?.check()?;
        Ok(path)
    }

    /// Fails if a file of the target has another content than `wanted`.
    pub(crate) async fn expect_content(&self, path: &str, wanted: &[u8]) -> anyhow::Result<()> {
        let found = self.content(path).await?;
        ensure!(
            found == wanted,
            "{path}: {} bytes, not the {} expected",
            found.len(),
            wanted.len()
        );
        Ok(())
    }

    /// Fails if a temporary file is left in the scratch directory of either machine.
    pub(crate) async fn expect_no_leftovers(&self) -> anyhow::Result<()> {
        let there = self.leftovers().await?;
        ensure!(there.is_empty(), "left on the target: {there:?}");
        let here = leftovers_in(self.here.path())?;
        ensure!(here.is_empty(), "left here: {here:?}");
        Ok(())
    }

    /// The temporary files of ours in the scratch directory of the target.
    pub(crate) async fn leftovers(&self) -> anyhow::Result<Vec<String>> {
        let found = self.look_text("find . -name '.*.hostlink-*' 2>/dev/null || :").await?;
        Ok(found.lines().map(str::to_owned).collect())
    }
}

/// The temporary files of ours in a directory of this machine.
pub(crate) fn leftovers_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.collect::<std::io::Result<Vec<_>>>()?;
    let ours = |path: &PathBuf| path.to_string_lossy().contains(".hostlink-");
    Ok(entries.into_iter().map(|entry| entry.path()).filter(ours).collect())
}

/// Arguments that say nothing.
pub(crate) fn plain() -> ConnectorArguments {
    ConnectorArguments::new()
}
