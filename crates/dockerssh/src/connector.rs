//! The connectors `@dockerssh` and `@podmanssh`.

use std::sync::LazyLock;

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Data, DataField, DataReader, Kind, Listing, NameData,
    Open, Result, Target, Value, all_checks,
};
use hostlink_docker::{DockerConnector, SshServer};
use hostlink_ssh::SshConnector;

use crate::name::{self, Meaning};

/// The key that the engine's answer replaces.
const HOSTNAME: &str = "ssh_hostname";

/// The default port of SSH servers.
const SSH_PORT: u16 = 22;

static DOCKER_FIELDS: LazyLock<Vec<DataField>> =
    LazyLock::new(|| fields(DockerConnector::docker()));
static PODMAN_FIELDS: LazyLock<Vec<DataField>> =
    LazyLock::new(|| fields(DockerConnector::podman()));

/// Returns the fields of both connectors: the name decides which of them apply.
fn fields(engine: DockerConnector) -> Vec<DataField> {
    [engine.about().fields, SshConnector::new().about().fields].concat()
}

/// Containers over SSH: `@dockerssh/web1:app` is the container `app` on the engine of `web1`, and
/// `@dockerssh/app` is the container `app` on this machine's engine, through its own SSH server.
#[derive(Debug)]
pub struct DockerSshConnector {
    name: &'static str,
    engine: DockerConnector,
    fields: &'static LazyLock<Vec<DataField>>,
    ssh: SshConnector,
}

impl DockerSshConnector {
    /// Returns `@dockerssh`, which shares logins with `ssh`.
    #[must_use]
    pub fn docker(ssh: SshConnector) -> Self {
        Self { name: "dockerssh", engine: DockerConnector::docker(), fields: &DOCKER_FIELDS, ssh }
    }

    /// Returns `@podmanssh`, which shares logins with `ssh`.
    #[must_use]
    pub fn podman(ssh: SshConnector) -> Self {
        Self { name: "podmanssh", engine: DockerConnector::podman(), fields: &PODMAN_FIELDS, ssh }
    }
}

impl DockerSshConnector {
    /// Returns the port in the container; `data` was checked.
    fn port(&self, data: &Data) -> u16 {
        let field = self.ssh.about().fields.iter().find(|field| field.key == "ssh_port");
        let said: Option<u32> = field.and_then(|field| DataReader::new(data).get(field));
        said.and_then(|port| port.try_into().ok()).unwrap_or(SSH_PORT)
    }
}

#[async_trait]
impl Connector for DockerSshConnector {
    fn about(&self) -> About<'_> {
        About {
            name: self.name,
            description: match self.name {
                "dockerssh" => {
                    "Docker containers on a host over SSH, or with their own SSH server."
                }
                _ => "Podman containers on a host over SSH, or with their own SSH server.",
            },
            fields: self.fields,
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        let label = |text: &str| format!("@{}/{text}", self.name);
        match name::parse(self.name, argument)? {
            Meaning::OnHost { host, name } => {
                let target = format!("@ssh/{host}/@{}/{name}", self.engine.about().name);
                let label = label(argument.unwrap_or_default());
                Ok(NameData::new(label).with_target(target).into())
            }
            Meaning::Container(text) => {
                let mut found = self.engine.list(Some(text), context).await?;
                found.hosts.iter_mut().for_each(|host| host.name = label(text));
                Ok(found)
            }
        }
    }
}

#[async_trait]
impl Open for DockerSshConnector {
    fn needs_outer(&self, data: &Data) -> bool {
        self.engine.needs_outer(data)
    }

    fn check(&self, target: &Target, context: &Context) -> Result<()> {
        let mut reader = DataReader::new(&target.data);
        if target.data.get(HOSTNAME).is_some() {
            reader.fault(HOSTNAME, "the engine knows the container's address: leave it out");
        }
        // Any address will do for the check: the engine has not been asked yet.
        let data = target.data.clone().with(HOSTNAME, "127.0.0.1");
        let login = Target { data, ..target.clone() };
        all_checks([
            reader.finish(),
            self.engine.check_ssh_server(target, context),
            self.ssh.check(&login, context),
        ])
    }

    /// Connects to a container through its own SSH server.
    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        self.check(target, context)?;
        let server = self.engine.ssh_server(target, context, self.port(&target.data)).await?;
        let data = login_data(&target.data, server);
        let name = target.name.clone();
        self.ssh.connect(&Target { name, data, outer: None }, context).await
    }
}

/// Returns the data for `@ssh` to reach the container's server, overriding the host's data.
fn login_data(given: &Data, server: SshServer) -> Data {
    let mut data = given.clone();
    data.insert(HOSTNAME, server.address);
    data.insert("ssh_port", i64::from(server.port));
    // A master is logged in already, and has checked the key.
    if given.get("ssh_control_path").is_some() {
        return data;
    }
    let mut options = match given.get("ssh_options") {
        Some(Value::List(options)) => options.clone(),
        Some(option) => vec![option.clone()],
        None => Vec::new(),
    };
    // The first value applies (ssh_config(5)).
    options.push(Value::from(format!("HostKeyAlias=container-{}", server.container)));
    data.insert("ssh_options", Value::List(options));
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_containers_server_is_what_the_login_goes_to() {
        let given = Data::new().with("ssh_user", "app").with("ssh_port", 2022);
        let server =
            SshServer { address: "172.17.0.2".into(), port: 2022, container: "0a1b".into() };
        let data = login_data(&given, server);
        assert_eq!(data.get("ssh_user"), Some(&Value::from("app")));
        assert_eq!(data.get("ssh_hostname"), Some(&Value::from("172.17.0.2")));
        let alias = Value::from("HostKeyAlias=container-0a1b");
        assert_eq!(data.get("ssh_options"), Some(&Value::List(vec![alias])));
    }

    #[test]
    fn a_master_of_the_users_gets_no_key_settings() {
        let given = Data::new().with("ssh_control_path", "/run/master");
        let server = SshServer { address: "172.17.0.2".into(), port: 22, container: "0a1b".into() };
        assert_eq!(login_data(&given, server).get("ssh_options"), None);
    }
}
