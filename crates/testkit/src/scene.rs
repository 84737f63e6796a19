//! The links and directories that a case receives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use hostlink_core::transfer::TEMPORARY_MARK;
use hostlink_core::{
    CommandOutput, ConnectorArguments, Context, Link, Result, Stdin, StringCommand,
};
use tempfile::TempDir;

use crate::ability::Ability;
use crate::fixture::Fixture;
use crate::lane::Turn;
use crate::recorder::Recorder;
use crate::settings::plain;
use crate::witness::{ShellOutput, Witness};

/// The maximum size of a file, in bytes, that is sent to the target as words of a command.
const SHORT: usize = 4096;

/// A link to test, a second one to check with, and a scratch directory on each machine.
pub(crate) struct Scene {
    /// Reserves the fixture for the case.
    turn: Turn,
    /// The link under test.
    pub(crate) link: Link,
    /// Checks what the link under test did. What only one link sees is not on the target.
    witness: Witness,
    /// The events that the link under test has reported.
    pub(crate) recorder: Arc<Recorder>,
    there: String,
    here: TempDir,
}

impl Scene {
    /// Opens the links and makes the scratch directories.
    pub(crate) async fn open(turn: Turn) -> anyhow::Result<Self> {
        let recorder = Arc::new(Recorder::default());
        let context = Context { reporter: recorder.clone(), ..Context::default() };
        let link = turn.fixture().connect(&context).await?;
        let witness = turn.witness().await?;
        let here = tempfile::Builder::new().prefix("hl-case-").tempdir()?;
        let made = witness.sh("/", b"mktemp -d /tmp/hl-case-XXXXXXXX").await?.check()?;
        let there = String::from_utf8(made.stdout)?.trim().to_owned();
        Ok(Self { turn, link, witness, recorder, there, here })
    }

    /// Removes the scratch directories, closes the link and returns the witness for the next case.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.link.disconnect().await?;
        // Only root can empty a directory without write permission.
        let line = format!("chmod -R u+rwx {0} 2>/dev/null; rm -rf {0}", self.there);
        self.witness.sh("/", line.as_bytes()).await?.check()?;
        self.turn.return_witness(self.witness);
        Ok(())
    }

    /// The fixture of the scene.
    pub(crate) fn fixture(&self) -> &dyn Fixture {
        self.turn.fixture()
    }

    /// Returns whether the fixture has this ability.
    pub(crate) fn has(&self, ability: Ability) -> bool {
        self.fixture().lacks().iter().all(|lack| lack.ability != ability)
    }

    /// Selects variants to test: all of them if the fixture has its own data path, otherwise every
    /// fourth. The start depends on the fixture's name, so that all fixtures together test all
    /// variants.
    pub(crate) fn sample<T>(&self, variants: impl IntoIterator<Item = T>) -> Vec<T> {
        if self.has(Ability::OwnDataPath) {
            return variants.into_iter().collect();
        }
        let first = self.fixture().name().bytes().map(usize::from).sum::<usize>() % 4;
        variants.into_iter().skip(first).step_by(4).collect()
    }

    /// Opens a second link, as a caller would.
    pub(crate) async fn another_link(&self) -> Result<Link> {
        self.fixture().connect(&Context::default()).await
    }

    /// Runs a line on the link under test.
    pub(crate) async fn run(&self, line: impl Into<StringCommand>) -> Result<CommandOutput> {
        self.run_with(line, &plain()).await
    }

    /// Runs a line on the link under test, with arguments.
    pub(crate) async fn run_with(
        &self,
        line: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
    ) -> Result<CommandOutput> {
        self.link.run_shell_command(&line.into(), arguments).await
    }

    /// Returns a path in the scratch directory of the target.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.there)
    }

    /// Returns the scratch directory of the target.
    pub(crate) fn directory(&self) -> &str {
        &self.there
    }

    /// Returns a path in the scratch directory of this machine.
    pub(crate) fn here(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    /// Makes a file on this machine with this content.
    pub(crate) fn file_here(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.here(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// Returns the output of a line of shell that the witness runs in the scratch directory.
    pub(crate) async fn sh(&self, line: &str) -> anyhow::Result<Vec<u8>> {
        let seen = self.try_sh(line).await?.check();
        Ok(seen.with_context(|| format!("the witness ran: {line}"))?.stdout)
    }

    /// Returns the output as text, without surrounding white space.
    pub(crate) async fn sh_text(&self, line: &str) -> anyhow::Result<String> {
        Ok(String::from_utf8(self.sh(line).await?)?.trim().to_owned())
    }

    /// Returns whether a line of shell that the witness runs succeeds.
    pub(crate) async fn holds(&self, line: &str) -> anyhow::Result<bool> {
        Ok(self.try_sh(line).await?.code == 0)
    }

    /// Runs a line of shell in the scratch directory through the witness, whether it succeeds or
    /// not.
    pub(crate) async fn try_sh(&self, line: &str) -> anyhow::Result<ShellOutput> {
        self.witness.sh(&self.there, line.as_bytes()).await
    }

    /// Returns the output of a command that the witness runs in the scratch directory.
    pub(crate) async fn witness_run(&self, command: StringCommand) -> anyhow::Result<Vec<u8>> {
        let seen = self.witness.sh(&self.there, &command.get_raw_value()).await?;
        Ok(seen.check()?.stdout)
    }

    /// Returns the content of a file on the target.
    pub(crate) async fn content(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.witness_run(StringCommand::from_words(["cat", "--", path])).await
    }

    /// Returns the checksum of a file on the target, by md5sum(1), to compare with
    /// [`checksum_here`].
    pub(crate) async fn checksum(&self, path: &str) -> anyhow::Result<String> {
        let printed = self.witness_run(StringCommand::shell("md5sum <").arg(path)).await?;
        Ok(String::from_utf8(printed)?.trim().to_owned())
    }

    /// Makes a file in the scratch directory of the target, without the library's file transfer.
    /// Returns its path.
    pub(crate) async fn plant(&self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        let path = self.path(name);
        if content.len() <= SHORT {
            let escaped: String = content.iter().map(|byte| format!("\\0{byte:03o}")).collect();
            let command = StringCommand::from_words(["printf", "%b", &escaped]);
            self.witness_run(command.raw(">").arg(&path)).await?;
            return Ok(path);
        }
        let link = self.another_link().await?;
        let arguments = plain().with_stdin(Stdin::bytes(content.to_vec()));
        let command = StringCommand::shell("cat >").arg(&path);
        link.run_shell_command(&command, &arguments).await?.check()?;
        link.disconnect().await?;
        Ok(path)
    }

    /// Makes a file on the target that no transfer reads to its end: a hole of 1 TiB.
    pub(crate) async fn plant_endless(&self, name: &str) -> anyhow::Result<()> {
        self.sh(&format!("dd if=/dev/null of={name} bs=1 seek=1099511627776 2>/dev/null")).await?;
        Ok(())
    }

    /// Fails if the content of a file on the target is not `wanted`.
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

    /// Returns hostlink's temporary files in the scratch directory of the target.
    pub(crate) async fn leftovers(&self) -> anyhow::Result<Vec<String>> {
        let found = self.sh_text(&find_temporaries("2>/dev/null || :")).await?;
        Ok(found.lines().map(str::to_owned).collect())
    }

    /// Removes them.
    pub(crate) async fn remove_leftovers(&self) -> anyhow::Result<()> {
        self.sh(&format!("rm -rf ./.*{TEMPORARY_MARK}*")).await.map(drop)
    }
}

/// Returns the command that finds our temporary files in the current directory.
pub(crate) fn find_temporaries(more: &str) -> String {
    format!("find . -name '.*{TEMPORARY_MARK}*' {more}")
}

/// Returns the command that finds those of them that have content, and files in directories of
/// ours.
pub(crate) fn find_filled_temporaries() -> String {
    format!("find . -path '*{TEMPORARY_MARK}*' -type f -size +0c")
}

/// Returns the checksum of a file on this machine, by md5sum(1).
pub(crate) async fn checksum_here(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path)?;
    let output = tokio::process::Command::new("md5sum").stdin(file).output().await?;
    ensure!(output.status.success(), "md5sum has failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Returns hostlink's temporary files in a directory of this machine.
pub(crate) fn leftovers_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.collect::<std::io::Result<Vec<_>>>()?;
    let ours = |path: &PathBuf| path.to_string_lossy().contains(TEMPORARY_MARK);
    Ok(entries.into_iter().map(|entry| entry.path()).filter(ours).collect())
}
