//! The connector `@chroot`.

use async_trait::async_trait;
use hostlink_core::{
    Connection, Connector, Context, Data, DataField, Error, ErrorKind, Event, NameData, Result,
    Target,
};

use crate::connection::ChrootConnection;
use crate::settings::Settings;
use crate::{fields, name, probe};

/// Root directories of a target: `@chroot//mnt/rootfs` on this machine,
/// `@ssh/web1/@chroot//srv/root` on another.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChrootConnector;

#[async_trait]
impl Connector for ChrootConnector {
    fn name(&self) -> &'static str {
        "chroot"
    }

    fn description(&self) -> &'static str {
        "A root directory of this machine or of the target in front of it, entered with chroot."
    }

    fn is_wrapper(&self) -> bool {
        true
    }

    fn needs_outer(&self, _data: &Data) -> bool {
        true
    }

    fn data_fields(&self) -> &'static [DataField] {
        fields::FIELDS
    }

    async fn make_names_data(
        &self,
        argument: Option<&str>,
        _context: &Context,
    ) -> Result<Vec<NameData>> {
        name::parse(argument).map(|name| vec![name])
    }

    fn check(&self, target: &Target, _context: &Context) -> Result<()> {
        Settings::parse(&target.data).map(|_| ())
    }

    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let settings = Settings::parse(&target.data)?;
        let Some(outer) = target.outer.clone() else {
            let message = "@chroot goes through another target, and there is none";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let found = probe::look(&outer, &settings, context.connect_timeout).await?;
        for left_out in &found.left_out {
            context.reporter.report(&target.name, Event::Detail(left_out));
        }
        Ok(Box::new(ChrootConnection::new(outer, settings, found.tools)))
    }
}
