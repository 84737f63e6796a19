//! The command `hostlink` with a connector that reads the data of a login. `@login/…` is this
//! machine; how the data are treated depends on the name.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use hostlink::connector::{
    About, Connection, Connector, DataField, DataReader, Forwards, Kind, Listing, NameData, Open,
    Outcome, Process, Script, Sockets, SpawnOptions, Target,
};
use hostlink::connectors::LocalConnector;
use hostlink::forward::{Duplex, Endpoint, Forward, Forwarding};
use hostlink::{Context, Error, ErrorKind, Result, Secret};
use hostlink_tests::forwarder::Forwarder;

#[derive(Debug)]
struct Login;

const fn field(key: &'static str, secret: bool) -> DataField {
    DataField { secret, ..DataField::new(key, "text", "As ssh's.") }
}

const FIELDS: &[DataField] = &[
    field("ssh_user", false),
    field("ssh_port", false),
    field("ssh_key", false),
    field("ssh_password", true),
    field("ssh_key_password", true),
];

/// The right password and the right passphrase.
const RIGHT: [&str; 2] = ["correct horse", "battery staple"];

#[async_trait]
impl Connector for Login {
    fn about(&self) -> About<'_> {
        About {
            name: "login",
            description: "This machine, behind a login.",
            fields: FIELDS,
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        let names = argument.map_or(vec!["a", "b", "c"], |name| vec![name]);
        let names = names.into_iter().map(|name| NameData::new(format!("@login/{name}")));
        Ok(names.collect::<Vec<_>>().into())
    }
}

#[async_trait]
impl Open for Login {
    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let local = LocalConnector.connect(target, context).await?;
        match target.name.as_str() {
            "@login/tell" => Err(Error::new(ErrorKind::Connect, formatted(target))),
            "@login/open" => Ok(local),
            "@login/forwards" => Ok(Box::new(Forwarded(local))),
            name => {
                let question =
                    format!("the password of you@{}", name.trim_start_matches("@login/"));
                let given = context.prompter.ask_secret(name, &question).await?;
                match judged(Some(given), RIGHT[0]) {
                    "right" => Ok(local),
                    judged => Err(Error::new(ErrorKind::Auth, format!("{judged} password"))),
                }
            }
        }
    }
}

/// Formats the data. Secrets are shown as right or wrong.
fn formatted(target: &Target) -> String {
    let mut reader = DataReader::new(&target.data);
    let texts: Vec<String> = FIELDS
        .iter()
        .map(|field| match field.secret {
            false => reader.get(field).unwrap_or_else(|| "none".to_owned()),
            true => {
                let right = RIGHT[usize::from(field.key == "ssh_key_password")];
                judged(reader.get(field), right).to_owned()
            }
        })
        .collect();
    texts.join(" ")
}

fn judged(given: Option<Secret>, right: &str) -> &'static str {
    match given {
        None => "none",
        Some(given) if given.expose() == right => "right",
        Some(_) => "wrong",
    }
}

/// A connection that forwards ports from this machine to this machine.
#[derive(Debug)]
struct Forwarded(Box<dyn Connection>);

#[async_trait]
impl Connection for Forwarded {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        self.0.spawn(script, options).await
    }

    async fn disconnect(&self, outcome: Outcome) -> Result<()> {
        self.0.disconnect(outcome).await
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(self)
    }
}

#[async_trait]
impl Sockets for Forwarded {
    async fn dial(&self, _to: &Endpoint) -> Result<Box<dyn Duplex>> {
        Err(Error::new(ErrorKind::Unsupported, "it only forwards"))
    }

    fn forwards(&self) -> Option<&dyn Forwards> {
        Some(self)
    }
}

#[async_trait]
impl Forwards for Forwarded {
    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        Ok(Box::new(Forwarder::open(forward).await?))
    }
}

fn main() -> ExitCode {
    let mut registry = hostlink::builtin_registry();
    registry.register(Arc::new(Login));
    hostlink_cli::main_with(registry)
}
