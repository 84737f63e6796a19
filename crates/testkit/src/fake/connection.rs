//! A connection that answers from a script.

use std::fmt;

use async_trait::async_trait;
use hostlink_core::transfer::FileTransfer;
use hostlink_core::{
    CommandOutput, Connection, ExitStatus, Outcome, Process, Result, Script, SpawnOptions,
};

use super::connector::FakeConnector;
use super::finished::finished;

pub(super) struct FakeConnection {
    pub(super) fake: FakeConnector,
    pub(super) target: String,
}

#[async_trait]
impl Connection for FakeConnection {
    async fn spawn(&self, script: &Script, _options: &SpawnOptions) -> Result<Process> {
        let answer = self.fake.answer(&self.target, script.display());
        let delay = answer.delay;
        let status = ExitStatus::Code(answer.exit_code);
        let output = CommandOutput::from_lines(answer.lines, status, delay);
        let mut process = finished(script, output);
        let exit = process.exit;
        process.exit = Box::pin(async move {
            tokio::time::sleep(delay).await;
            exit.await
        });
        Ok(process)
    }

    fn file_transfer(&self) -> Option<&dyn FileTransfer> {
        Some(self)
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }
}

impl fmt::Debug for FakeConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeConnection({})", self.target)
    }
}
