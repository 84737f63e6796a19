#![doc = include_str!("../README.md")]

mod api;

use async_trait::async_trait;
use hostlink_core::{
    About, Connector, Context, Data, DataReader, Error, ErrorKind, Kind, Listing, NameData, Result,
    Secret, data_fields,
};

use crate::api::{Api, Server};

data_fields! {
    /// The settings as they are given.
    struct Given from DataReader<'_>;

    /// Address of the API: http://HOST:PORT/PATH.
    URL = "cloud_url", "text" => url: Option<String>, get();
    /// Token of the account.
    TOKEN = "cloud_token", "text", secret: true => token: Option<Secret>, get();
}

/// The servers of a cloud: `@cloud` is all of them, `@cloud/TAG` are those with a tag.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloudConnector;

#[async_trait]
impl Connector for CloudConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "cloud",
            description: "The servers of a cloud, all or those with a tag, from its API.",
            fields: FIELDS,
            kind: Kind::Lists { trusted: false, reads_only_files: false },
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        let api = api(context)?;
        let servers = api.servers().await?;
        let has_tag = |server: &&Server| argument.is_none_or(|tag| server.has_tag(tag));
        let hosts: Vec<NameData> =
            servers.iter().filter(has_tag).map(host).collect::<Result<_>>()?;
        match argument {
            Some(tag) if hosts.is_empty() => {
                let message = format!("@cloud/{tag}: no server of {} has this tag", api.url());
                Err(Error::new(ErrorKind::Inventory, message))
            }
            _ => Ok(hosts.into()),
        }
    }
}

/// Reads the settings, with the environment as the fallback.
fn api(context: &Context) -> Result<Api> {
    let mut data: Data = [(URL.key, "CLOUD_URL"), (TOKEN.key, "CLOUD_TOKEN")]
        .into_iter()
        .filter_map(|(key, variable)| Some((key, context.environment.get(variable)?.as_str())))
        .collect();
    data.merge(&context.settings);
    let mut reader = DataReader::new(&data);
    reader.refuse_unknown("cloud_", FIELDS);
    let Given { url, token } = Given::read(&mut reader);
    for (field, variable, is_given) in
        [(URL, "CLOUD_URL", url.is_some()), (TOKEN, "CLOUD_TOKEN", token.is_some())]
    {
        if !is_given && data.get(field.key).is_none() {
            reader.fault(field.key, format!("missing: set it or the variable {variable}"));
        }
    }
    reader.finish()?;
    let (url, token) = (url.unwrap_or_default(), token.unwrap_or_else(|| Secret::new("")));
    Api::new(&url, token, context.connect_timeout)
}

fn host(server: &Server) -> Result<NameData> {
    let Server { name, address, port, tags } = server;
    // It becomes a target's name, in which `/@local` would mean this machine.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_plain) {
        let message = format!("the API lists {name:?}, which is not a valid host name");
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    let mut host = NameData::new(name).with_data("ssh_hostname", address.as_str());
    if let Some(port) = port {
        host = host.with_data("ssh_port", *port);
    }
    Ok(tags.iter().fold(host, NameData::with_group))
}
