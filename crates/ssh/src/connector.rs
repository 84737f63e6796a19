//! The connector `@ssh`.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::{Connection, Connector, Context, DataField, NameData, Result, Target};
use parking_lot::Mutex;

use crate::connection::SshConnection;
use crate::doors::Doors;
use crate::fields::FIELDS;
use crate::host::Host;
use crate::master::{Run, WeakRun};
use crate::name;
use crate::settings::Settings;

/// Hosts over SSH, through OpenSSH's own client: `web1.example.com`, `@ssh/deploy@web1:2222`.
///
/// Its connections share a private directory and a watcher process, which ends what is left of them
/// when this process is gone, however that came.
#[derive(Debug, Default)]
pub struct SshConnector {
    run: Mutex<WeakRun>,
    doors: Arc<Doors>,
}

impl SshConnector {
    /// A connector without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the connections that are open share. It goes with the last of them.
    fn run(&self, context: &Context) -> Result<Run> {
        let mut known = self.run.lock();
        if let Some(run) = known.upgrade() {
            return Ok(run);
        }
        let run = Run::new(context)?;
        *known = run.downgrade();
        Ok(run)
    }
}

#[async_trait]
impl Connector for SshConnector {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn description(&self) -> &'static str {
        "Hosts over SSH, as `ssh` of this machine reaches them. The connector of names without an @."
    }

    fn data_fields(&self) -> &'static [DataField] {
        FIELDS
    }

    async fn make_names_data(
        &self,
        argument: Option<&str>,
        _context: &Context,
    ) -> Result<Vec<NameData>> {
        name::parse(argument).map(|name| vec![name])
    }

    fn check(&self, target: &Target, context: &Context) -> Result<()> {
        Settings::parse(target, context.home.as_deref()).map(|_| ())
    }

    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let settings = Settings::parse(target, context.home.as_deref())?;
        let run = self.run(context)?;
        let host = Host::connect(&target.name, settings, context, run, self.doors.clone()).await?;
        Ok(Box::new(SshConnection::new(host)))
    }
}
