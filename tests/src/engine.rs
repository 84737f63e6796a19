//! The container engines for the tests; `cargo xtask test --provision` starts them.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::cli;
use crate::container::{LABEL, succeed};

/// The socket of the Podman service for the tests. Its storage is not that of the machine's Podman.
pub const PODMAN_SOCKET: &str = "/var/lib/hostlink-tests/podman.sock";

/// A kind of engine. Both have the same images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The engine that the `docker` command uses.
    #[default]
    Docker,
    /// The engine at [`PODMAN_SOCKET`].
    Podman,
}

impl Engine {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Podman];

    /// Returns the engine's own command, connected to it; its outputs piped and its input empty.
    pub fn command<W: AsRef<OsStr>>(self, words: impl IntoIterator<Item = W>) -> Command {
        let url = format!("unix://{PODMAN_SOCKET}");
        let mut command = match self {
            Self::Docker => cli::command(Path::new("docker"), [""; 0]),
            Self::Podman => cli::command(Path::new("podman"), ["--url", &url]),
        };
        command.args(words);
        command
    }

    /// Runs its command, and returns the output.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub fn say<W: AsRef<OsStr>>(self, words: impl IntoIterator<Item = W>) -> String {
        succeed(self.command(words), b"")
    }

    /// Returns the names of the tests' containers whose name contains this, running or not.
    ///
    /// # Panics
    ///
    /// If the engine does not answer.
    #[must_use]
    pub fn list(self, name: &str) -> Vec<String> {
        let (label, name) = (format!("label={LABEL}"), format!("name={name}"));
        let filters = ["--filter", &label, "--filter", &name];
        let words = ["container", "ls", "--all", "--format", "{{.Names}}"];
        self.say(words.into_iter().chain(filters)).lines().map(str::to_owned).collect()
    }
}

impl fmt::Display for Engine {
    /// The name of its command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        })
    }
}
