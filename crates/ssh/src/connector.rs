//! The connector `@ssh`.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::{About, Connection, Connector, Context, Kind, Listing, Open, Result, Target};
use parking_lot::Mutex;

use crate::connection::SshConnection;
use crate::fields::FIELDS;
use crate::host::Host;
use crate::login_limit::LoginLimit;
use crate::master::{Run, WeakRun};
use crate::name;
use crate::settings::Settings;

/// Hosts over SSH, through OpenSSH's own client: `web1.example.com`, `@ssh/deploy@web1:2222`.
///
/// Its connections, and those of its clones, share a private directory and a watcher process. The
/// watcher ends the ssh processes of this process when it is gone, even killed.
#[derive(Clone, Debug, Default)]
pub struct SshConnector {
    run: Arc<Mutex<WeakRun>>,
    login_limit: Arc<LoginLimit>,
}

impl SshConnector {
    /// Returns a connector without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what the open connections share. It ends with the last of them.
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
    fn about(&self) -> About<'_> {
        About {
            name: "ssh",
            description: "Hosts over SSH, as `ssh` of this machine reaches them. The connector of names without an @.",
            fields: FIELDS,
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        name::parse(argument).map(Listing::from)
    }
}

#[async_trait]
impl Open for SshConnector {
    fn check(&self, target: &Target, context: &Context) -> Result<()> {
        Settings::parse(target, context.home.as_deref()).map(|_| ())
    }

    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let settings = Settings::parse(target, context.home.as_deref())?;
        let run = self.run(context)?;
        let host =
            Host::connect(&target.name, settings, context, run, self.login_limit.clone()).await?;
        Ok(Box::new(SshConnection::new(host)))
    }
}
