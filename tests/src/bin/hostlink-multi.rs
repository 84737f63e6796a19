//! The command `hostlink` with two more connectors. `@multi/a` is this machine under another name,
//! and `@multi` is two of them. `@spawnonly` is this machine without rsync. Your own connector is
//! added to the command in the same way.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use hostlink::connector::{
    About, Connection, Connector, DataField, Kind, Listing, NameData, Open, Outcome, Process,
    Script, SpawnOptions, Target,
};
use hostlink::connectors::LocalConnector;
use hostlink::{Context, Error, ErrorKind, Result};
use hostlink_testkit::SpawnOnlyConnector;

#[derive(Debug)]
struct Multi;

const PASSWORD: DataField =
    DataField { secret: true, ..DataField::new("multi_password", "text", "Nothing asks for it.") };

#[async_trait]
impl Connector for Multi {
    fn about(&self) -> About<'_> {
        About {
            name: "multi",
            description: "This machine under any name; @multi/refuse cannot be reached.",
            fields: &[PASSWORD],
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        let names = argument.map_or(vec!["a", "b"], |name| vec![name]);
        let names = names.into_iter().map(|name| NameData::new(format!("@multi/{name}")));
        Ok(names.collect::<Vec<_>>().into())
    }
}

#[async_trait]
impl Open for Multi {
    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        match target.name.as_str() {
            "@multi/refuse" => Err(Error::new(ErrorKind::Connect, "nobody is at home")),
            "@multi/never" => std::future::pending().await,
            "@multi/clings" => {
                Ok(Box::new(NeverDisconnects(LocalConnector.connect(target, context).await?)))
            }
            _ => LocalConnector.connect(target, context).await,
        }
    }
}

/// A connection whose `disconnect` never ends.
#[derive(Debug)]
struct NeverDisconnects(Box<dyn Connection>);

#[async_trait]
impl Connection for NeverDisconnects {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        self.0.spawn(script, options).await
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        std::future::pending().await
    }
}

fn main() -> ExitCode {
    let mut registry = hostlink::builtin_registry();
    registry.register(Arc::new(Multi));
    registry.register(Arc::new(SpawnOnlyConnector::without(["rsync"])));
    hostlink_cli::main_with(registry)
}
