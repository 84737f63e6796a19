//! The connector `@chroot`.

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Data, Error, ErrorKind, Event, Kind, Listing, Open,
    Result, Target,
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
    fn about(&self) -> About<'_> {
        About {
            name: "chroot",
            description: "A root directory of this machine or of the target before it, entered with chroot.",
            fields: fields::FIELDS,
            kind: Kind::Wraps(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        name::parse(argument).map(Listing::from)
    }
}

#[async_trait]
impl Open for ChrootConnector {
    fn needs_outer(&self, _data: &Data) -> bool {
        true
    }

    fn check(&self, target: &Target, _context: &Context) -> Result<()> {
        Settings::parse(&target.data).map(|_| ())
    }

    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let settings = Settings::parse(&target.data)?;
        let Some(outer) = target.outer.clone() else {
            let message = "@chroot needs a target to go through, and there is none";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let found = probe::look(&outer, &settings, context.connect_timeout).await?;
        for left_out in &found.left_out {
            context.reporter.report(&target.name, Event::Detail(left_out));
        }
        for warning in &found.warnings {
            context.reporter.report(&target.name, Event::Warning(warning));
        }
        Ok(Box::new(ChrootConnection::new(outer, settings, found.tools)))
    }
}
