//! The smallest possible connector.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use hostlink_core::streams::chunks;
use hostlink_core::{
    About, Connection, Connector, Context, Error, ErrorKind, ExitStatus, Kind, Listing, NameData,
    NoControl, Open, Outcome, Process, Result, Script, SpawnOptions, Stream, Target,
};
use tempfile::TempDir;
use tokio::process::Command;

/// The connector `@spawnonly`: this machine through a [`SpawnOnly`] connection.
#[derive(Clone, Debug, Default)]
pub struct SpawnOnlyConnector {
    missing: Vec<OsString>,
    busybox: bool,
    sh: Option<PathBuf>,
    /// The directory that the first connection made, for all others.
    programs: Arc<Mutex<Option<Arc<TempDir>>>>,
}

impl SpawnOnlyConnector {
    /// Returns a connector whose targets lack these programs.
    pub fn without<P: Into<OsString>>(programs: impl IntoIterator<Item = P>) -> Self {
        Self { missing: programs.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Returns a connector whose targets have nothing but busybox, including its `sh`.
    #[must_use]
    pub fn busybox() -> Self {
        Self { busybox: true, ..Self::default() }
    }

    /// Returns a connector whose targets have this shell as their `sh`.
    pub fn with_sh(path: impl Into<PathBuf>) -> Self {
        Self { missing: vec!["sh".into()], sh: Some(path.into()), ..Self::default() }
    }
}

#[async_trait]
impl Connector for SpawnOnlyConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "spawnonly",
            description: "This machine, through a connection that can only start scripts.",
            fields: &[],
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, _argument: Option<&str>, _context: &Context) -> Result<Listing> {
        Ok(NameData::new("@spawnonly").into())
    }
}

#[async_trait]
impl Open for SpawnOnlyConnector {
    async fn connect(&self, _target: &Target, _context: &Context) -> Result<Box<dyn Connection>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = match &*programs {
            Some(made) => made.clone(),
            None => programs.insert(self.first()?.programs).clone(),
        };
        Ok(Box::new(SpawnOnly { programs }))
    }
}

impl SpawnOnlyConnector {
    fn first(&self) -> Result<SpawnOnly> {
        if self.busybox {
            return SpawnOnly::busybox();
        }
        let connection = SpawnOnly::without(&self.missing)?;
        if let Some(sh) = &self.sh {
            let linked = symlink(sh, connection.programs().join("sh"));
            linked.map_err(|error| Error::from_io("the shell cannot be set up", error))?;
        }
        Ok(connection)
    }
}

/// A connection to this machine that implements nothing but `spawn`, and only with pipes.
///
/// It does not even kill: all that a link does beyond starting a script is done by the library. Its
/// `PATH` is one directory of symlinks, so programs can be missing or replaced.
#[derive(Debug)]
pub struct SpawnOnly {
    programs: Arc<TempDir>,
}

impl SpawnOnly {
    /// Returns a connection whose `PATH` lacks these programs.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be made.
    pub fn without<P: AsRef<OsStr>>(programs: &[P]) -> Result<Self> {
        let missing: Vec<&OsStr> = programs.iter().map(AsRef::as_ref).collect();
        let made = link_programs(&missing);
        let failed = |error| Error::from_io("the directory of programs cannot be made", error);
        Ok(Self { programs: Arc::new(made.map_err(failed)?) })
    }

    /// Returns a connection whose `PATH` has only busybox's applets.
    ///
    /// # Errors
    ///
    /// Fails if there is no busybox, or if the directory cannot be made.
    pub fn busybox() -> Result<Self> {
        let failed = |error| Error::from_io("busybox cannot be set up", error);
        let programs = link_applets().map_err(failed)?;
        Ok(Self { programs: Arc::new(programs) })
    }

    /// The directory that is the connection's `PATH`. Programs that are added to it are found.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.programs.path()
    }
}

fn link_programs(missing: &[&OsStr]) -> std::io::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("hl-programs-").tempdir()?;
    for folder in ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let link = directory.path().join(&name);
            // The first program of a name wins, as in PATH.
            if !missing.contains(&&*name) && std::fs::symlink_metadata(&link).is_err() {
                symlink(entry.path(), link)?;
            }
        }
    }
    Ok(directory)
}

fn link_applets() -> std::io::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("hl-busybox-").tempdir()?;
    let install = ["--install", "-s"];
    let status =
        std::process::Command::new("busybox").args(install).arg(directory.path()).status()?;
    if status.success() { Ok(directory) } else { Err(std::io::Error::other("--install failed")) }
}

#[async_trait]
impl Connection for SpawnOnly {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        if options.terminal.is_some() {
            let message = "this connection has no terminals";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let started = Command::new(self.programs().join("sh"))
            .arg("-c")
            .arg(OsStr::from_bytes(script.argument()))
            .env("PATH", self.programs())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = started.map_err(|error| {
            Error::new(ErrorKind::Connect, "cannot start sh").with_source(error)
        })?;
        let stdin = child.stdin.take().expect("it is a pipe");
        let stdout = chunks(Stream::Stdout, child.stdout.take().expect("it is a pipe"));
        let stderr = chunks(Stream::Stderr, child.stderr.take().expect("it is a pipe"));
        Ok(Process {
            stdin: Some(Box::pin(stdin)),
            output: stream::select(stdout, stderr).boxed(),
            exit: Box::pin(async move { ended(child.wait().await) }),
            control: Box::new(NoControl),
            terminal: None,
        })
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }
}

fn ended(waited: std::io::Result<std::process::ExitStatus>) -> Result<ExitStatus> {
    let status = waited.map_err(|error| {
        Error::new(ErrorKind::LinkLost, "the child cannot be waited for").with_source(error)
    })?;
    let signal = || ExitStatus::Signal(status.signal().unwrap_or(0));
    Ok(status.code().map_or_else(signal, ExitStatus::Code))
}
