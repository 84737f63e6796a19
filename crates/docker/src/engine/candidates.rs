//! Possible addresses of an engine, in the order of the docker command.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use hostlink_core::{Context, Error, ErrorKind, Link, Result};
use rustls::ClientConfig;

use super::address::Address;
use super::{contexts, tls};
use crate::brand::Brand;
use crate::fields;

/// One address, and where it was configured.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) transport: Transport,
    /// `DOCKER_HOST`, or a key of host data; empty for the default addresses.
    pub(super) source: String,
}

/// A way to reach an engine.
#[derive(Clone)]
pub(super) enum Transport {
    Unix(String),
    Tcp(String, u16),
    Tls(String, u16, Arc<ClientConfig>),
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            Transport::Unix(path) => f.write_str(path)?,
            Transport::Tcp(host, port) | Transport::Tls(host, port, _) => {
                write!(f, "{host}:{port}")?
            }
        }
        if self.source.is_empty() { Ok(()) } else { write!(f, " ({})", self.source) }
    }
}

/// docker's default port.
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// Returns the addresses on this machine: the configured one, or the defaults.
///
/// # Errors
///
/// [`ErrorKind::Data`] if the configured one cannot be used.
pub(super) fn here(brand: Brand, data: Option<&str>, context: &Context) -> Result<Vec<Candidate>> {
    if let Some(text) = data {
        return configured(brand, text, fields::place(brand).key, context).map(|place| vec![place]);
    }
    let variable = match brand {
        Brand::Docker => "DOCKER_HOST",
        Brand::Podman => "CONTAINER_HOST",
    };
    if let Some(text) = context.environment.get(variable).filter(|text| !text.is_empty()) {
        return configured(brand, text, variable, context).map(|place| vec![place]);
    }
    if brand == Brand::Docker
        && let Some(named) = contexts::current(context)?
    {
        return of_context(&named).map(|place| vec![place]);
    }
    let runtime = context.environment.get("XDG_RUNTIME_DIR").map(String::as_str);
    let home = context.home.as_deref().and_then(|home| home.to_str());
    Ok(defaults(brand, runtime, home))
}

/// Returns the socket from the environment or the current context, for an engine that is reached by
/// a command on this machine.
///
/// # Errors
///
/// [`ErrorKind::Data`] if it cannot be used, or is not a socket of this machine.
pub(super) fn configured_here(
    brand: Brand,
    data: Option<&str>,
    link: &Link,
    context: &Context,
) -> Result<Option<String>> {
    if data.is_some() || !link.connection().features().is_this_machine {
        return Ok(None);
    }
    let places = here(brand, None, context)?;
    match places.first() {
        Some(Candidate { source, .. }) if source.is_empty() => Ok(None),
        Some(Candidate { transport: Transport::Unix(path), .. }) => {
            Ok(Some(format!("unix://{path}")))
        }
        Some(place) => {
            let message =
                format!("docker_sudo is for sockets of this machine, and the engine is at {place}");
            Err(Error::new(ErrorKind::Data, message))
        }
        None => Ok(None),
    }
}

/// Returns the address in host data, as seen from another host; `None` if there is none.
///
/// # Errors
///
/// [`ErrorKind::Data`] if it cannot be used.
pub(super) fn there(brand: Brand, data: Option<&str>) -> Result<Option<Candidate>> {
    let Some(text) = data else { return Ok(None) };
    let key = fields::place(brand).key;
    let transport = match parse(brand, text, key)? {
        Address::Unix(path) => Transport::Unix(path),
        Address::Tcp { tls: true, .. } => {
            let message = format!("{key}: {text:?}: TLS is for engines that are reached from here");
            return Err(Error::new(ErrorKind::Data, message));
        }
        Address::Tcp { host, port, .. } => Transport::Tcp(host, port.unwrap_or(PORT)),
    };
    Ok(Some(Candidate { transport, source: key.to_owned() }))
}

/// Returns the default addresses of an engine: as root, and as a user with these directories.
pub(super) fn defaults(brand: Brand, runtime: Option<&str>, home: Option<&str>) -> Vec<Candidate> {
    let runtime = runtime.filter(|path| path.starts_with('/'));
    let paths = match brand {
        Brand::Docker => [
            Some("/var/run/docker.sock".to_owned()),
            runtime.map(|path| format!("{path}/docker.sock")),
            home.map(|path| format!("{path}/.docker/run/docker.sock")),
        ],
        Brand::Podman => [
            runtime.map(|path| format!("{path}/podman/podman.sock")),
            Some("/run/podman/podman.sock".to_owned()),
            None,
        ],
    };
    let place = |path| Candidate { transport: Transport::Unix(path), source: String::new() };
    paths.into_iter().flatten().map(place).collect()
}

fn parse(brand: Brand, text: &str, source: &str) -> Result<Address> {
    Address::parse(text, brand.word())
        .map_err(|problem| Error::new(ErrorKind::Data, format!("{source}: {problem}")))
}

fn configured(brand: Brand, text: &str, source: &str, context: &Context) -> Result<Candidate> {
    let transport = match parse(brand, text, source)? {
        Address::Unix(path) => Transport::Unix(path),
        Address::Tcp { host, port, tls } => {
            let set = |key: &str| context.environment.get(key).filter(|text| !text.is_empty());
            if brand == Brand::Docker && (tls || set("DOCKER_TLS_VERIFY").is_some()) {
                let directory = set("DOCKER_CERT_PATH").map(PathBuf::from);
                let Some(directory) = directory.or_else(|| contexts::directory(context)) else {
                    let message = format!(
                        "{source}: {text:?} requires TLS: set DOCKER_CERT_PATH to the directory of ca.pem"
                    );
                    return Err(Error::new(ErrorKind::Data, message));
                };
                Transport::Tls(host, port.unwrap_or(TLS_PORT), tls::config(&directory)?)
            } else if tls {
                let message =
                    format!("{source}: {text:?}: Podman is reached on a Unix socket or by tcp://");
                return Err(Error::new(ErrorKind::Data, message));
            } else {
                Transport::Tcp(host, port.unwrap_or(PORT))
            }
        }
    };
    Ok(Candidate { transport, source: source.to_owned() })
}

fn of_context(named: &contexts::Named) -> Result<Candidate> {
    let source = format!("the Docker context {}", named.name);
    let transport = match parse(Brand::Docker, &named.host, &source)? {
        Address::Unix(path) => Transport::Unix(path),
        Address::Tcp { .. } if named.unchecked => {
            let message = format!(
                "{source} skips the check of the engine's certificate, which hostlink does not support: add a ca.pem"
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        Address::Tcp { host, port, tls } => match &named.certificates {
            Some(directory) => {
                Transport::Tls(host, port.unwrap_or(TLS_PORT), tls::config(directory)?)
            }
            None if tls => {
                let message = format!("{source} requires TLS, and has no ca.pem");
                return Err(Error::new(ErrorKind::Data, message));
            }
            None => Transport::Tcp(host, port.unwrap_or(PORT)),
        },
    };
    Ok(Candidate { transport, source })
}
