//! The connector `@terraform`.

use async_trait::async_trait;
use hostlink_core::{
    About, Connector, Context, Error, ErrorKind, Kind, Listing, NameData, Result,
    refuse_unknown_link,
};

use crate::cache::{Cache, Readings};
use crate::fields::FIELDS;
use crate::source::Source;
use crate::{hosts, listing, words};

/// The outputs that `@terraform` alone reads, in order of preference.
const USUAL: [&str; 2] = ["hostlink_inventory", "pyinfra_inventory"];

/// Hosts that Terraform or OpenTofu has made: `@terraform`, `@terraform/OUTPUT.KEY`.
///
/// What one run has said is kept for the further names of the same [`Context`] and its clones;
/// another context asks again.
#[derive(Debug, Default)]
pub struct TerraformConnector {
    cache: Cache,
}

impl TerraformConnector {
    /// A connector that has not asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Connector for TerraformConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "terraform",
            description: "Hosts from Terraform or OpenTofu: an output, or else the machines in the state.",
            fields: FIELDS,
            kind: Kind::Lists { trusted: false, reads_only_files: false },
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        if let Some(path) = argument {
            check_path(path)?;
        }
        let readings = self.cache.readings(Source::read(context)?, context);
        let hosts = match argument {
            Some(path) => {
                let source = readings.source();
                hosts::hosts(path, readings.outputs().await?.find(path, source)?, source)
            }
            None => usual(&readings, context).await,
        }?;
        readings.warn_of_readable(&hosts, context);
        Ok(hosts.into())
    }
}

fn check_path(path: &str) -> Result<()> {
    refuse_unknown_link(path, || format!("{path:?}"))?;
    if path.split('.').any(str::is_empty) {
        let message = format!(
            "@terraform/{path}: write the name of an output, or keys after it with dots: @terraform/OUTPUT.KEY"
        );
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    Ok(())
}

/// The hosts of the first usual output, or else the machines of the state.
async fn usual(readings: &Readings, context: &Context) -> Result<Vec<NameData>> {
    let source = readings.source();
    let outputs = readings.outputs().await?;
    for name in USUAL {
        if let Some(value) = outputs.get(name) {
            return hosts::hosts(name, value, source);
        }
    }
    if let Some(null) = outputs.names().into_iter().find(|name| USUAL.contains(name)) {
        let problem = format!("the output {null} is null, and hosts are expected");
        return Err(source.refused(&problem));
    }
    match &readings.snapshot().await?.resources {
        Some(resources) => listing::hosts(resources, source, context),
        None => {
            let known = words::known(USUAL[0], &outputs.names());
            let problem = format!("there is no output {}; {known}", USUAL.join(" or "));
            Err(source.refused(&problem))
        }
    }
}
