//! The connector `@local`.

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Error, ErrorKind, Kind, Listing, NameData, Open, Result,
    Target,
};

use crate::connection::LocalConnection;

/// The connector `@local`: this machine, as the user who runs the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalConnector;

#[async_trait]
impl Connector for LocalConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "local",
            description: "This machine, as the user who runs hostlink.",
            fields: &[],
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        match argument {
            None => Ok(NameData::new("@local").into()),
            Some(argument) => {
                let message = format!("@local/{argument}: @local takes no argument");
                Err(Error::new(ErrorKind::Inventory, message))
            }
        }
    }
}

#[async_trait]
impl Open for LocalConnector {
    async fn connect(&self, _target: &Target, _context: &Context) -> Result<Box<dyn Connection>> {
        Ok(Box::new(LocalConnection::default()))
    }
}
