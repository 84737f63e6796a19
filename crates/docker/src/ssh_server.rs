//! The address of a container's SSH server.

use std::net::IpAddr;

use bollard::models::{ContainerInspectResponse, PortBinding};
use hostlink_core::{Context, Error, ErrorKind, Open, Result, Target};

use crate::brand::Brand;
use crate::connector::DockerConnector;
use crate::container;
use crate::engine::Engine;
use crate::settings::{Settings, Subject};

/// The SSH server of a container, as it is reached from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshServer {
    /// An IP address or a host name.
    pub address: String,
    /// The port there.
    pub port: u16,
    /// The container's ID.
    pub container: String,
}

impl DockerConnector {
    /// Checks the data for [`ssh_server`](Self::ssh_server), without connecting to the engine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] with all faults.
    pub fn check_ssh_server(&self, target: &Target, context: &Context) -> Result<()> {
        self.check(target, context)?;
        match Settings::parse(target, self.brand)?.subject {
            Subject::Image(_) => {
                let message = "docker_image: an image has no SSH server: name a running container";
                Err(Error::new(ErrorKind::Data, message))
            }
            Subject::Container(_) | Subject::Either(_) => Ok(()),
        }
    }

    /// Asks the engine for the address of the SSH server in a target's container: a published port,
    /// or the container's own address. `port` is the port in the container.
    ///
    /// # Errors
    ///
    /// Errors of [`connect`](hostlink_core::Open::connect) about the engine or a missing
    /// container; [`ErrorKind::Connect`] if the container does not run, or has no address that is
    /// reachable from here.
    pub async fn ssh_server(
        &self,
        target: &Target,
        context: &Context,
        port: u16,
    ) -> Result<SshServer> {
        self.check_ssh_server(target, context)?;
        let settings = Settings::parse(target, self.brand)?;
        let engine = Engine::open(self.brand, &settings, target, context).await?;
        let found = container::existing(&engine, &settings).await?;
        container::warn_of_useless(&settings, name_of(&found), &target.name, context);
        address(self.brand, &found, engine.machine(), port)
    }
}

/// `machine` is the host on which the engine publishes ports, as seen from here; `None` for this
/// machine.
fn address(
    brand: Brand,
    found: &ContainerInspectResponse,
    machine: Option<&str>,
    port: u16,
) -> Result<SshServer> {
    let name = name_of(found);
    let word = brand.word();
    let refused = |problem: String| Err(Error::new(ErrorKind::Connect, problem));
    if !container::is(found, |state| state.running) {
        return refused(format!(
            "the container {name} does not run, so its SSH server does not: `{word} start {name}`"
        ));
    }
    if container::is(found, |state| state.paused) {
        return refused(format!(
            "the container {name} is paused, and its SSH server with it: `{word} unpause {name}`"
        ));
    }
    let mode = found.host_config.as_ref().and_then(|host| host.network_mode.as_deref());
    if mode == Some("host") {
        // At that port the machine's own server may answer.
        let at = machine.unwrap_or("127.0.0.1");
        return refused(format!(
            "the container {name} uses the network of its machine, where its SSH server cannot be told from the machine's: \
             reach it as @ssh/{at} with its ssh_port"
        ));
    }
    let container = found.id.clone().unwrap_or_else(|| name.to_owned());
    if let Some((address, port)) = published(found, machine, port) {
        return Ok(SshServer { address, port, container });
    }
    if let Some(machine) = machine {
        return refused(format!(
            "the container {name} publishes no port {port} that is reachable from here, and its own address is reachable only from {machine}: \
             `{word} run -p` publishes it"
        ));
    }
    match own_address(found) {
        Some(address) => Ok(SshServer { address, port, container }),
        None => refused(format!(
            "the container {name} publishes no port {port} and has no address of its own: `{word} run -p` publishes it"
        )),
    }
}

fn name_of(found: &ContainerInspectResponse) -> &str {
    found.name.as_deref().unwrap_or_default().trim_start_matches('/')
}

fn published(
    found: &ContainerInspectResponse,
    machine: Option<&str>,
    port: u16,
) -> Option<(String, u16)> {
    let ports = found.network_settings.as_ref()?.ports.as_ref()?;
    let bindings = ports.get(&format!("{port}/tcp"))?.as_ref()?;
    bindings.iter().find_map(|PortBinding { host_ip, host_port }| {
        let port = host_port.as_deref()?.parse().ok()?;
        let address = match (host_ip.as_deref().unwrap_or_default(), machine) {
            // All addresses of that machine.
            ("" | "0.0.0.0" | "::", machine) => machine.unwrap_or("127.0.0.1"),
            // Its loopback is not ours.
            (address, Some(machine)) if is_loopback(address) && !is_loopback(machine) => {
                return None;
            }
            (address, _) => address,
        };
        Some((address.to_owned(), port))
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn own_address(found: &ContainerInspectResponse) -> Option<String> {
    let networks = found.network_settings.as_ref()?.networks.as_ref()?;
    let addresses = networks.values().flat_map(|network| {
        [network.ip_address.as_deref(), network.global_ipv6_address.as_deref()]
    });
    addresses.flatten().find(|address| !address.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inspected(running: bool, ports: serde_json::Value) -> ContainerInspectResponse {
        serde_json::from_value(json!({
            "Id": "0a1b", "Name": "/app", "State": { "Running": running },
            "NetworkSettings": {
                "Ports": ports,
                "Networks": { "none": { "IPAddress": "" }, "bridge": { "IPAddress": "172.17.0.2" } },
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_published_port_comes_first_and_then_the_containers_address() {
        let at = |machine, ports: serde_json::Value, port| {
            let server = address(Brand::Docker, &inspected(true, ports), machine, port);
            server.map(|it| (it.address, it.port)).map_err(|error| error.to_string())
        };
        let everywhere =
            json!({"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": "49153"}], "80/tcp": null});
        let one = json!({"22/tcp": [{"HostIp": "127.0.0.5", "HostPort": "2022"}]});
        let beyond = at(Some("engine.example"), one.clone(), 22).unwrap_err();
        assert!(beyond.contains("no port 22 that is reachable from here"), "{beyond}");
        assert_eq!(at(Some("localhost"), one.clone(), 22), Ok(("127.0.0.5".into(), 2022)));
        assert_eq!(at(None, everywhere.clone(), 22), Ok(("127.0.0.1".into(), 49153)));
        assert_eq!(at(Some("engine.example"), everywhere.clone(), 22).unwrap().0, "engine.example");
        assert_eq!(at(None, one, 22), Ok(("127.0.0.5".into(), 2022)));
        assert_eq!(at(None, everywhere.clone(), 2022), Ok(("172.17.0.2".into(), 2022)));
        assert!(at(Some("engine.example"), everywhere, 2022).unwrap_err().contains("run -p"));
    }

    #[test]
    fn a_container_in_its_machines_network_is_not_guessed_at() {
        let mut found = inspected(true, json!({}));
        assert!(address(Brand::Docker, &found, None, 22).is_ok(), "the control");
        found.host_config = serde_json::from_value(json!({ "NetworkMode": "host" })).unwrap();
        let error = address(Brand::Docker, &found, None, 22).unwrap_err();
        assert!(error.to_string().contains("reach it as @ssh/127.0.0.1"), "{error}");
    }

    #[test]
    fn a_container_that_is_stopped_has_no_server() {
        let error = address(Brand::Docker, &inspected(false, json!({})), None, 22).unwrap_err();
        assert!(error.to_string().contains("docker start app"), "{error}");
    }
}
