//! A connection without a way of its own to move files.

use async_trait::async_trait;
use hostlink_core::transfer::FileProgram;
use hostlink_core::{
    Connection, Duplex, Endpoint, Features, Forward, Forwarding, Link, Process, Result, Script,
    Slot, SpawnOptions,
};

/// Another link's connection, with its `file_transfer` hidden: files go through commands.
#[derive(Debug)]
pub struct WithoutFastPaths(Link);

impl WithoutFastPaths {
    /// Hides what the connection of `link` has.
    #[must_use]
    pub fn new(link: Link) -> Self {
        Self(link)
    }
}

#[async_trait]
impl Connection for WithoutFastPaths {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        self.0.connection().slot(options).await
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        self.0.connection().spawn(script, options).await
    }

    fn fits(&self, script: &[u8], options: &SpawnOptions) -> bool {
        self.0.connection().fits(script, options)
    }

    fn features(&self) -> Features {
        Features { file_program: FileProgram::Cat, ..self.0.connection().features() }
    }

    fn note_failure(&self) {
        self.0.connection().note_failure();
    }

    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        self.0.connection().forward(forward).await
    }

    async fn answers(&self) -> Result<()> {
        self.0.connection().answers().await
    }

    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        self.0.connection().dial(to).await
    }

    async fn disconnect(&self) -> Result<()> {
        self.0.disconnect().await
    }
}
