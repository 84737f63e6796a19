//! Checks that a wrapper keeps the abilities of the connection that it goes through.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::transfer::{
    FileProgram, FileTransfer, GetOptions, OpenSource, PutOptions, Sink, Transferred,
};
use hostlink_core::{
    About, Connection, Connector, Context, Duplex, Endpoint, Error, ErrorKind, Features, Forward,
    Forwarding, Forwards, Kind, Listing, NameData, Open, Outcome, Process, Result, Script, Slot,
    Sockets, SpawnOptions, Target, TerminalSize,
};

/// The connector `@able`: the targets of another connector, through a connection for which nothing
/// holds that holds by default. Of what it says it can do, it only starts scripts.
///
/// [`differences`] finds what a wrapper over it forgets to pass on.
#[derive(Clone, Debug)]
pub struct AbleConnector(Arc<dyn Connector>);

impl AbleConnector {
    /// Starts scripts through the connections of `connector`.
    pub fn new(connector: impl Connector) -> Self {
        Self(Arc::new(connector))
    }
}

#[async_trait]
impl Connector for AbleConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "able",
            description: "Another target, through a connection that says it can do everything.",
            fields: &[],
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, _argument: Option<&str>, _context: &Context) -> Result<Listing> {
        Ok(NameData::new("@able").into())
    }
}

#[async_trait]
impl Open for AbleConnector {
    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let opener = self.0.about().opener().ok_or_else(unsupported)?;
        Ok(Box::new(Able(opener.connect(target, context).await?)))
    }
}

#[derive(Debug)]
struct Able(Box<dyn Connection>);

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "@able only says that it can do this")
}

#[async_trait]
impl Connection for Able {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        if options.terminal.is_some() { Err(unsupported()) } else { Ok(Slot::default()) }
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        self.0.spawn(script, options).await
    }

    fn features(&self) -> Features {
        Features {
            terminal_beside_pipes: true,
            leads_process_groups: true,
            is_this_machine: true,
            max_terminal_input: Some(1000),
            input_waits: true,
            file_program: FileProgram::Scp,
        }
    }

    fn fits(&self, _script: &[u8], options: &SpawnOptions) -> bool {
        options.terminal.is_none()
    }

    async fn probe(&self) -> Result<()> {
        Err(unsupported())
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(self)
    }

    fn file_transfer(&self) -> Option<&dyn FileTransfer> {
        Some(self)
    }

    async fn disconnect(&self, outcome: Outcome) -> Result<()> {
        self.0.disconnect(outcome).await
    }
}

#[async_trait]
impl Sockets for Able {
    async fn dial(&self, _to: &Endpoint) -> Result<Box<dyn Duplex>> {
        Err(unsupported())
    }

    fn forwards(&self) -> Option<&dyn Forwards> {
        Some(self)
    }
}

#[async_trait]
impl Forwards for Able {
    async fn forward(&self, _forward: &Forward) -> Result<Box<dyn Forwarding>> {
        Err(unsupported())
    }
}

#[async_trait]
impl FileTransfer for Able {
    async fn put(
        &self,
        _source: &mut OpenSource,
        _path: &str,
        _options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        Ok(None)
    }

    async fn get(
        &self,
        _path: &str,
        _sink: &mut Sink<'_>,
        _options: &GetOptions,
    ) -> Result<Option<Transferred>> {
        Ok(None)
    }
}

/// The names of what two connections can do differently: of methods of [`Connection`], and of
/// [`Features`].
///
/// A wrapper is right if this is what it means to change:
///
/// ```
/// use hostlink_core::{Context, Data, Link, Registry};
/// use hostlink_testkit::{AbleConnector, FakeConnector, WithoutFastPaths, differences};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let mut registry = Registry::new();
/// registry.register(std::sync::Arc::new(AbleConnector::new(FakeConnector::new())));
/// let able = registry.connect("@able", &Data::new(), &Context::default()).await?;
///
/// let wrapped = WithoutFastPaths::new(able.clone());
/// let changed = differences(able.connection(), &wrapped).await;
/// assert_eq!(changed, ["file_program", "file_transfer"]);
/// # Ok::<(), hostlink_core::Error>(())
/// # }).unwrap();
/// ```
pub async fn differences(one: &dyn Connection, other: &dyn Connection) -> Vec<&'static str> {
    let (one, other) = (abilities(one).await, abilities(other).await);
    let pairs = one.into_iter().zip(other);
    pairs.filter(|(one, other)| one != other).map(|((name, _), _)| name).collect()
}

/// Returns the abilities of a connection, as text.
async fn abilities(connection: &dyn Connection) -> [(&'static str, String); 12] {
    // Without `..`: a new feature has to be compared too.
    let Features {
        terminal_beside_pipes,
        leads_process_groups,
        is_this_machine,
        max_terminal_input,
        input_waits,
        file_program,
    } = connection.features();
    let terminal = Some(TerminalSize::default());
    let on_terminal = SpawnOptions { terminal, ..SpawnOptions::default() };
    let sockets = connection.sockets();
    [
        ("terminal_beside_pipes", terminal_beside_pipes.to_string()),
        ("leads_process_groups", leads_process_groups.to_string()),
        ("is_this_machine", is_this_machine.to_string()),
        ("max_terminal_input", format!("{max_terminal_input:?}")),
        ("input_waits", input_waits.to_string()),
        ("file_program", format!("{file_program:?}")),
        ("file_transfer", connection.file_transfer().is_some().to_string()),
        ("sockets", sockets.is_some().to_string()),
        ("forwards", sockets.and_then(|it| it.forwards()).is_some().to_string()),
        ("fits", connection.fits(b":", &on_terminal).to_string()),
        ("slot", connection.slot(&on_terminal).await.is_ok().to_string()),
        ("probe", connection.probe().await.is_ok().to_string()),
    ]
}
