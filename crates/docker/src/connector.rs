//! The connectors `@docker` and `@podman`.
//!
//! # How a container is reached
//!
//! `DockerConnector` → `engine` (finds it, and pings it: a missing engine shows only then) →
//! `container` (finds or makes it, sweeps, ends it) → `exec`.
//!
//! - `engine/wire`: every route to an engine is a byte stream (a socket, TLS, a link's `dial`,
//!   `docker system dial-stdio` on a link), under our own HTTP client, which bollard uses as its
//!   transport. So connections are kept for the next call, no answer is gathered without a bound,
//!   and the streams of commands are read raw: bollard's decoder takes terminal output that starts
//!   with byte 0–2 for a header, and waits for whole frames.
//! - `engine/stdio`: each connection is a session of the login there, so 4 commands and 2 calls run
//!   at the same time. The end of its input ends it: a kill would need another session and sudo.
//! - `exec/ended`: the engine does not report a command's end, so it is polled: at the end of the
//!   stream, and occasionally before, since a background process may hold the stream open. Code 137
//!   may mean the container's end. To exclude that, another command has to run in the container,
//!   which must not have been restarted meanwhile. An engine that closes a stream with unread input
//!   resets it. On a socket of this machine that is the stream's end, because earlier data are
//!   still read. Through a link it is the end only if the engine says that the command has ended.
//!   Over TCP it never is, since a reset may discard output there (`frames`, `exec/ahead`).
//! - `container/commit`: no call removes a label from an image. So the commit is an intermediate
//!   step, labelled with its owner, and an archive with the right configuration and no layers is
//!   loaded after it: an engine reads only layers that it does not have. Podman reads them all, and
//!   ignores the configuration of a Docker commit, so libpod's commit is used there. The result is
//!   compared before it is reported.
//! - `container/owner`: in a container, process IDs are those of its namespace, and machine IDs are
//!   often copies: then the namespace's number is part of the machine's name.
//!
//! Only `Link` knows whether everything succeeded (for `docker_commit = on-success`): scripts of
//! transfers report failure in their output, and non-zero exit codes may be allowed. It passes that
//! to `Connection::disconnect`.

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Data, DataReader, Event, Kind, Listing, Open, Result,
    Target,
};

use crate::brand::Brand;
use crate::connection::DockerConnection;
use crate::container::{self, Opening};
use crate::engine::{self, Engine};
use crate::settings::Settings;
use crate::{fields, name};

/// Containers of an engine with Docker's API: `@docker/web1`, `@docker/debian:12`, `@podman/web1`.
#[derive(Clone, Copy, Debug)]
pub struct DockerConnector {
    pub(crate) brand: Brand,
}

impl DockerConnector {
    /// `@docker`: the engine that the docker command would use.
    #[must_use]
    pub fn docker() -> Self {
        Self { brand: Brand::Docker }
    }

    /// `@podman`: Podman, on its socket.
    #[must_use]
    pub fn podman() -> Self {
        Self { brand: Brand::Podman }
    }
}

#[async_trait]
impl Connector for DockerConnector {
    fn about(&self) -> About<'_> {
        About {
            name: self.brand.word(),
            description: match self.brand {
                Brand::Docker => "Docker containers: an existing one, or one made from an image.",
                Brand::Podman => "Podman containers: an existing one, or one made from an image.",
            },
            fields: fields::of(self.brand),
            kind: Kind::Wraps(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        name::parse(self.brand, argument).map(Listing::from)
    }
}

#[async_trait]
impl Open for DockerConnector {
    /// An engine that only root reaches is reached by a command.
    fn needs_outer(&self, data: &Data) -> bool {
        DataReader::new(data).or_default(&fields::SUDO)
    }

    fn check(&self, target: &Target, _context: &Context) -> Result<()> {
        Settings::parse(target, self.brand)?;
        engine::check(target, self.brand)
    }

    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let settings = Settings::parse(target, self.brand)?;
        let step = |text: String| context.reporter.report(&target.name, Event::Detail(&text));
        let engine = Engine::open(self.brand, &settings, target, context).await?;
        step(format!("the engine at {} answers", engine.shown()));
        let opening = Opening { engine, settings, name: &target.name, context };
        let opened = container::open(opening).await?;
        step(format!("the container {} runs", opened.shown));
        Ok(Box::new(DockerConnection::new(opened)))
    }
}
