//! Hosts over SSH, each with a server of its own that the first connection starts.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use hostlink::{Context, Error, ErrorKind, Link, Registry, Result, builtin_registry};
use hostlink_testkit::{Fixture, Signals, WithoutFastPaths};
use hostlink_tests::ssh_host::SshHost;

/// The variable that describes the parent's host to a child of the test program.
const HOST: &str = "HOSTLINK_TESTS_HOST";

/// A host as a column of the matrix.
pub(crate) struct SshFixture {
    name: &'static str,
    start: fn() -> SshHost,
    host: Arc<OnceLock<SshHost>>,
    registry: Registry,
    fast_paths: bool,
}

impl SshFixture {
    /// The host that `start` makes, as the column `name`.
    pub(crate) fn new(name: &'static str, start: fn() -> SshHost) -> Self {
        Self { name, start, host: Arc::default(), registry: builtin_registry(), fast_paths: true }
    }

    /// With SFTP hidden: files go through commands.
    pub(crate) fn without_fast_paths(self) -> Self {
        Self { fast_paths: false, ..self }
    }
}

#[async_trait]
impl Fixture for SshFixture {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let (host, start) = (self.host.clone(), self.start);
        let find = move || match std::env::var(HOST) {
            Ok(description) => SshHost::described(&description),
            Err(_) => start(),
        };
        let started = tokio::task::spawn_blocking(move || {
            host.get_or_init(find);
            host
        });
        let host = started.await.map_err(|error| {
            Error::new(ErrorKind::Connect, "the server does not start").with_source(error)
        })?;
        let host = host.get().expect("it was started");
        let link = self.registry.connect(&host.target, &host.data(), context).await?;
        if self.fast_paths {
            return Ok(link);
        }
        Ok(Link::new(Box::new(WithoutFastPaths::new(link)), self.name, context.clone()))
    }

    fn signals(&self) -> Signals {
        Signals::Unknown
    }

    fn child_environment(&self) -> Vec<(String, String)> {
        let host = self.host.get().map(|host| (HOST.to_owned(), host.description()));
        host.into_iter().collect()
    }
}
