//! Root directories: on this machine, on a host over SSH.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use hostlink::{Context, Data, Error, ErrorKind, Link, Registry, Result, builtin_registry};
use hostlink_testkit::{Fixture, Signals};
use hostlink_tests::chroot::{Root, target, with_mounts};
use hostlink_tests::ssh_host::SshHost;

/// The variable that describes the parent's root to a child of the test program.
const ROOT: &str = "HOSTLINK_TESTS_ROOT";

/// A root with mounts, since the suite looks for processes in /proc.
pub(crate) struct ChrootFixture {
    name: &'static str,
    start: fn() -> Place,
    signals: Signals,
    place: Arc<OnceLock<Place>>,
    registry: Registry,
}

/// A root, and what it is reached through.
pub(crate) struct Place {
    name: String,
    host: Option<SshHost>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl ChrootFixture {
    /// A root that `start` makes, as the column `name`.
    pub(crate) fn new(name: &'static str, signals: Signals, start: fn() -> Place) -> Self {
        Self { name, start, signals, place: Arc::default(), registry: builtin_registry() }
    }
}

impl Place {
    /// On this machine.
    pub(crate) fn local() -> Self {
        let root = Root::debian();
        Self { name: root.target(), host: None, _kept: Box::new(root) }
    }

    /// The same as a user enters it who comes over SSH, and is not root.
    pub(crate) fn over_ssh() -> Self {
        let (root, host) = (Root::debian(), SshHost::sudoer());
        let name = format!("@ssh/{}/{}", host.target, target(&root.dir()));
        Self { name, host: Some(host), _kept: Box::new(root) }
    }

    fn described(text: &str) -> Self {
        let (name, host) = text.split_once('\n').unwrap_or((text, ""));
        let host = (!host.is_empty()).then(|| SshHost::described(host));
        Self { name: name.to_owned(), host, _kept: Box::new(()) }
    }

    fn description(&self) -> String {
        let host = self.host.as_ref().map(SshHost::description).unwrap_or_default();
        format!("{}\n{host}", self.name)
    }

    fn target(&self) -> (String, Data) {
        let mut data = with_mounts();
        if let Some(host) = &self.host {
            data.merge(&host.data().with("chroot_sudo", true));
        }
        (self.name.clone(), data)
    }
}

#[async_trait]
impl Fixture for ChrootFixture {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let (place, start) = (self.place.clone(), self.start);
        let find = move || match std::env::var(ROOT) {
            Ok(description) => Place::described(&description),
            Err(_) => start(),
        };
        let started = tokio::task::spawn_blocking(move || place.get_or_init(find).target());
        let (name, data) = started.await.map_err(|error| {
            Error::new(ErrorKind::Connect, "the root is not there").with_source(error)
        })?;
        self.registry.connect(&name, &data, context).await
    }

    fn signals(&self) -> Signals {
        self.signals
    }

    fn child_environment(&self) -> Vec<(String, String)> {
        let place = self.place.get().map(|place| (ROOT.to_owned(), place.description()));
        place.into_iter().collect()
    }
}
