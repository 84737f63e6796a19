//! A connection without its own file transfer.

use async_trait::async_trait;
use hostlink_core::transfer::FileProgram;
use hostlink_core::{
    Connection, Features, Link, Outcome, Process, Result, Script, Slot, Sockets, SpawnOptions,
};

/// A connection that passes on another link's with its `file_transfer` hidden: files go through
/// commands.
#[derive(Debug)]
pub struct WithoutFastPaths(Link);

impl WithoutFastPaths {
    /// Hides the file transfer of the connection of `link`.
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

    async fn probe(&self) -> Result<()> {
        self.0.connection().probe().await
    }

    async fn disconnect(&self, outcome: Outcome) -> Result<()> {
        self.0.disconnect_after(outcome).await
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        self.0.connection().sockets()
    }
}
