//! The connector `@local`.

use async_trait::async_trait;
use hostlink_core::{Connection, Connector, Context, Error, ErrorKind, NameData, Result, Target};

use crate::connection::LocalConnection;

/// The connector `@local`: this machine, as the user that runs the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalConnector;

#[async_trait]
impl Connector for LocalConnector {
    fn name(&self) -> &'static str {
        "local"
    }

    fn description(&self) -> &'static str {
        "This machine, as the user who runs hostlink."
    }

    async fn make_names_data(
        &self,
        argument: Option<&str>,
        _context: &Context,
    ) -> Result<Vec<NameData>> {
        match argument {
            None => Ok(vec![NameData::new("@local")]),
            Some(argument) => {
                let message = format!("@local/{argument}: there is one @local, write it alone");
                Err(Error::new(ErrorKind::Inventory, message))
            }
        }
    }

    async fn connect(&self, _target: &Target, _context: &Context) -> Result<Box<dyn Connection>> {
        Ok(Box::new(LocalConnection::default()))
    }
}
