//! The connectors `@docker` and `@podman`.

use async_trait::async_trait;
use hostlink_core::{
    Connection, Connector, Context, Data, DataField, DataReader, NameData, Result, Target,
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
    fn name(&self) -> &'static str {
        self.brand.word()
    }

    fn description(&self) -> &'static str {
        match self.brand {
            Brand::Docker => "Containers of Docker: one that exists, or one made from an image.",
            Brand::Podman => "Containers of Podman: one that exists, or one made from an image.",
        }
    }

    fn is_wrapper(&self) -> bool {
        true
    }

    /// An engine that only root reaches is reached by a command.
    fn needs_outer(&self, data: &Data) -> bool {
        DataReader::new(data).get(&fields::SUDO).unwrap_or(false)
    }

    fn data_fields(&self) -> &'static [DataField] {
        fields::of(self.brand)
    }

    fn guarded_fields(&self) -> &'static [&'static str] {
        &fields::GUARDED
    }

    async fn make_names_data(
        &self,
        argument: Option<&str>,
        _context: &Context,
    ) -> Result<Vec<NameData>> {
        name::parse(self.brand, argument).map(|name| vec![name])
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
