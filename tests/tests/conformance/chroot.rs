//! Root directories, on this machine and on a host over SSH.

use std::path::{Path, PathBuf};
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
    host: Option<fn() -> SshHost>,
    place: Arc<OnceLock<Place>>,
    registry: Registry,
}

/// A root, and the host that it is reached on.
struct Place {
    dir: PathBuf,
    host: Option<SshHost>,
    _root: Option<Root>,
}

impl ChrootFixture {
    /// A root of this machine, entered from there or from a `host` on it, as the column `name`.
    pub(crate) fn new(name: &'static str, host: Option<fn() -> SshHost>) -> Self {
        Self { name, host, place: Arc::default(), registry: builtin_registry() }
    }
}

impl Place {
    fn start(host: Option<fn() -> SshHost>) -> Self {
        let root = Root::debian();
        Self { dir: root.dir(), host: host.map(|start| start()), _root: Some(root) }
    }

    fn described(text: &str) -> Self {
        let (dir, host) = text.split_once('\n').unwrap_or((text, ""));
        let host = (!host.is_empty()).then(|| SshHost::described(host));
        Self { dir: dir.into(), host, _root: None }
    }

    fn description(&self) -> String {
        let host = self.host.as_ref().map(SshHost::description).unwrap_or_default();
        format!("{}\n{host}", self.dir.display())
    }

    /// A user who is not root needs sudo to enter.
    fn target(&self) -> (String, Data) {
        let inside = target(Path::new(&self.dir));
        let Some(host) = &self.host else { return (inside, with_mounts()) };
        let mut data = host.data();
        data.merge(&with_mounts().with("chroot_sudo", true));
        (format!("@ssh/{}/{inside}", host.target), data)
    }
}

#[async_trait]
impl Fixture for ChrootFixture {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let (place, host) = (self.place.clone(), self.host);
        let find = move || match std::env::var(ROOT) {
            Ok(description) => Place::described(&description),
            Err(_) => Place::start(host),
        };
        let started = tokio::task::spawn_blocking(move || place.get_or_init(find).target());
        let (name, data) = started.await.map_err(|error| {
            Error::new(ErrorKind::Connect, "the root is not there").with_source(error)
        })?;
        self.registry.connect(&name, &data, context).await
    }

    fn signals(&self) -> Signals {
        if self.host.is_some() { Signals::Unknown } else { Signals::Numbers }
    }

    fn child_environment(&self) -> Vec<(String, String)> {
        let place = self.place.get().map(|place| (ROOT.to_owned(), place.description()));
        place.into_iter().collect()
    }
}
