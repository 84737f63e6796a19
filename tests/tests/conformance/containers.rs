//! Containers by their engine, here and on a host over SSH, and a root in one.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use hostlink::{Context, Data, Error, ErrorKind, Link, Registry, Result, builtin_registry};
use hostlink_testkit::{Fixture, Signals};
use hostlink_tests::chroot::{Root, with_mounts};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::ssh_host::SshHost;

/// The variable that describes the parent's container to a child of the test program.
const CONTAINER: &str = "HOSTLINK_TESTS_CONTAINER";

/// Where the root is in a container that has one.
const ROOT: &str = "/srv/root";

/// What is in a container, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Debian, by this engine.
    Debian(Engine),
    /// Busybox and nothing else, by Docker's.
    Busybox,
    /// Debian, by Docker's engine on a host over SSH.
    OnHost,
    /// A root directory with mounts, in a container of Docker's.
    Root,
}

/// A container that exists, as a column of the matrix. The first connection starts it.
pub(crate) struct ContainerFixture {
    name: &'static str,
    way: Way,
    place: Arc<OnceLock<Place>>,
    registry: Registry,
}

/// A container, and the host that its engine is on.
struct Place {
    container: String,
    host: Option<SshHost>,
    /// The container goes before the root in it.
    _kept: (Option<Container>, Option<Root>),
}

impl ContainerFixture {
    /// A container that is reached this way, as the column `name`.
    pub(crate) fn new(name: &'static str, way: Way) -> Self {
        Self { name, way, place: Arc::default(), registry: builtin_registry() }
    }
}

impl Way {
    fn start(self) -> Place {
        let (container, root) = match self {
            Self::Debian(engine) => (Container::start_on(engine, DEBIAN, &[]), None),
            Self::Busybox => (Container::start(BUSYBOX), None),
            Self::OnHost => (Container::start(DEBIAN), None),
            Self::Root => {
                let root = Root::debian();
                let volume = format!("--volume={}:{ROOT}", root.dir().display());
                // Who may not mount can have no mounts of a command's own.
                let may_mount = ["--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined"];
                let options = [&may_mount[..], &[&volume]].concat();
                (Container::start_with(DEBIAN, &options), Some(root))
            }
        };
        let host = (self == Self::OnHost).then(SshHost::root);
        Place { container: container.name().to_owned(), host, _kept: (Some(container), root) }
    }

    fn target(self, place: &Place) -> (String, Data) {
        let Place { container, host, .. } = place;
        match (self, host) {
            (Self::OnHost, Some(host)) => {
                (format!("@dockerssh/{}:{container}", host.target), host.data())
            }
            (Self::Debian(Engine::Podman), _) => {
                (format!("@podman/{container}"), Data::new().with("podman_socket", PODMAN_SOCKET))
            }
            (Self::Root, _) => (format!("@docker/{container}/@chroot/{ROOT}"), with_mounts()),
            _ => (format!("@docker/{container}"), Data::new()),
        }
    }
}

impl Place {
    fn described(text: &str) -> Self {
        let (container, host) = text.split_once('\n').unwrap_or((text, ""));
        let host = (!host.is_empty()).then(|| SshHost::described(host));
        Self { container: container.to_owned(), host, _kept: (None, None) }
    }

    fn description(&self) -> String {
        let host = self.host.as_ref().map(SshHost::description).unwrap_or_default();
        format!("{}\n{host}", self.container)
    }
}

#[async_trait]
impl Fixture for ContainerFixture {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let (place, way) = (self.place.clone(), self.way);
        let find = move || match std::env::var(CONTAINER) {
            Ok(description) => Place::described(&description),
            Err(_) => way.start(),
        };
        let started = tokio::task::spawn_blocking(move || way.target(place.get_or_init(find)));
        let (name, data) = started.await.map_err(|error| {
            Error::new(ErrorKind::Connect, "the container is not there").with_source(error)
        })?;
        self.registry.connect(&name, &data, context).await
    }

    fn signals(&self) -> Signals {
        Signals::Codes
    }

    fn child_environment(&self) -> Vec<(String, String)> {
        let place = self.place.get().map(|place| (CONTAINER.to_owned(), place.description()));
        place.into_iter().collect()
    }
}
