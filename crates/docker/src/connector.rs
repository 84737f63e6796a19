//! The connectors `@docker` and `@podman`.
//!
//! # How a container is reached
//!
//! `DockerConnector` → `engine` (finds it, and asks for its version: an engine that is not there
//! shows only then) → `container` (finds or makes it, sweeps, ends it) → `exec`.
//!
//! - `engine/wire`: every way to an engine is a byte stream (a socket, TLS, a link's `dial`,
//!   `docker system dial-stdio` on a link), under one HTTP client of ours that bollard is given as
//!   its transport. So connections are kept for the next call, and the streams of commands are read
//!   raw: bollard's decoder takes output of a terminal that begins with byte 0–2 for a header, and
//!   gathers whole frames.
//! - `engine/stdio`: each connection is a session of the login there, so 4 commands and 2 calls run
//!   at once. It is ended by the end of its input: a kill takes a session and a sudo of its own.
//! - `exec/ended`: the engine does not tell a command's end, it is asked: at the end of the stream,
//!   and now and then before, since a background child may hold the stream. Code 137 may be the
//!   container's end. Then another command has to run in it, and it must not have been started anew
//!   meanwhile. An engine that closes a stream with input unread resets it. On a socket of this
//!   machine that is the stream's end, because what was sent first is still read; through a link it
//!   is the end only if the engine says that the command has ended; over TCP it never is, since a
//!   reset may discard output there (`frames`, `exec/ahead`).
//! - `container/commit`: no call takes a label away from an image. So the commit is a step, with a
//!   label that says whose, and an archive with the right configuration and no layers is loaded
//!   after it: an engine reads a layer only if it does not have it. Podman reads them all, and
//!   ignores the configuration of a Docker commit: there it is libpod's. What came of it is
//!   compared before it is told.
//! - `container/owner`: in a container, process numbers are those of its namespace, and machine IDs
//!   are often copies: the namespace's number is part of the machine's name then.
//!
//! Only `Link` knows whether everything succeeded (for `docker_commit = on-success`): scripts of
//! transfers report failure in their output, and non-zero exit codes may be allowed. It tells
//! `Connection::disconnect`.

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Data, DataReader, Kind, Listing, Open, Result, Target,
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
                Brand::Docker => {
                    "Containers of Docker: one that exists, or one made from an image."
                }
                Brand::Podman => {
                    "Containers of Podman: one that exists, or one made from an image."
                }
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
        let engine = Engine::open(self.brand, &settings, target, context).await?;
        let opening = Opening { engine, settings, name: &target.name, context };
        let opened = container::open(opening).await?;
        Ok(Box::new(DockerConnection::new(opened)))
    }
}
