//! Where an engine may be, in the order in which the docker command looks.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use hostlink_core::{Context, Error, ErrorKind, Link, Result};
use rustls::ClientConfig;

use super::address::Address;
use super::{contexts, tls};
use crate::brand::Brand;
use crate::fields;

/// One place, and who says that an engine is there.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) way: Way,
    /// `DOCKER_HOST`, a key of host data; empty for the usual places.
    pub(super) said_by: String,
}

/// How an engine is reached.
#[derive(Clone)]
pub(super) enum Way {
    Unix(String),
    Tcp(String, u16),
    Tls(String, u16, Arc<ClientConfig>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Unix(path) => f.write_str(path)?,
            Way::Tcp(host, port) | Way::Tls(host, port, _) => write!(f, "{host}:{port}")?,
        }
        if self.said_by.is_empty() { Ok(()) } else { write!(f, " ({})", self.said_by) }
    }
}

/// Ports that docker takes where none is given.
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// The places on this machine: one that somebody says, or the usual ones.
///
/// # Errors
///
/// [`ErrorKind::Data`]: what somebody says cannot be used.
pub(super) fn here(brand: Brand, data: Option<&str>, context: &Context) -> Result<Vec<Place>> {
    if let Some(text) = data {
        return said(brand, text, fields::place(brand).key, context).map(|place| vec![place]);
    }
    let variable = match brand {
        Brand::Docker => "DOCKER_HOST",
        Brand::Podman => "CONTAINER_HOST",
    };
    if let Some(text) = context.environment.get(variable).filter(|text| !text.is_empty()) {
        return said(brand, text, variable, context).map(|place| vec![place]);
    }
    if brand == Brand::Docker
        && let Some(named) = contexts::current(context)?
    {
        return of_context(&named).map(|place| vec![place]);
    }
    let runtime = context.environment.get("XDG_RUNTIME_DIR").map(String::as_str);
    let home = context.home.as_deref().and_then(|home| home.to_str());
    Ok(usual(brand, runtime, home))
}

/// The socket that the environment or the current context says, for an engine that is reached by a
/// command on this machine.
///
/// # Errors
///
/// [`ErrorKind::Data`]: what they say cannot be used, or is no socket of this machine.
pub(super) fn said_here(
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
        Some(Place { said_by, .. }) if said_by.is_empty() => Ok(None),
        Some(Place { way: Way::Unix(path), .. }) => Ok(Some(format!("unix://{path}"))),
        Some(place) => {
            let message =
                format!("docker_sudo is for sockets of this machine, and the engine is at {place}");
            Err(Error::new(ErrorKind::Data, message))
        }
        None => Ok(None),
    }
}

/// The place that host data says, as seen from another host; `None` if it says none.
///
/// # Errors
///
/// [`ErrorKind::Data`]: it cannot be used.
pub(super) fn there(brand: Brand, data: Option<&str>) -> Result<Option<Place>> {
    let Some(text) = data else { return Ok(None) };
    let key = fields::place(brand).key;
    let way = match parse(brand, text, key)? {
        Address::Unix(path) => Way::Unix(path),
        Address::Tcp { tls: true, .. } => {
            let message = format!("{key}: {text:?}: TLS is for engines that are reached from here");
            return Err(Error::new(ErrorKind::Data, message));
        }
        Address::Tcp { host, port, .. } => Way::Tcp(host, port.unwrap_or(PORT)),
    };
    Ok(Some(Place { way, said_by: key.to_owned() }))
}

/// Where an engine listens that nobody has told otherwise: as root, and as a user with these
/// directories.
pub(super) fn usual(brand: Brand, runtime: Option<&str>, home: Option<&str>) -> Vec<Place> {
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
    let place = |path| Place { way: Way::Unix(path), said_by: String::new() };
    paths.into_iter().flatten().map(place).collect()
}

fn parse(brand: Brand, text: &str, said_by: &str) -> Result<Address> {
    Address::parse(text, brand.word())
        .map_err(|problem| Error::new(ErrorKind::Data, format!("{said_by}: {problem}")))
}

fn said(brand: Brand, text: &str, said_by: &str, context: &Context) -> Result<Place> {
    let way = match parse(brand, text, said_by)? {
        Address::Unix(path) => Way::Unix(path),
        Address::Tcp { host, port, tls } => {
            let set = |key: &str| context.environment.get(key).filter(|text| !text.is_empty());
            if brand == Brand::Docker && (tls || set("DOCKER_TLS_VERIFY").is_some()) {
                let directory = set("DOCKER_CERT_PATH").map(PathBuf::from);
                let Some(directory) = directory.or_else(|| contexts::directory(context)) else {
                    let message = format!(
                        "{said_by}: {text:?} wants TLS: say where ca.pem is with DOCKER_CERT_PATH"
                    );
                    return Err(Error::new(ErrorKind::Data, message));
                };
                Way::Tls(host, port.unwrap_or(TLS_PORT), tls::config(&directory)?)
            } else if tls {
                let message =
                    format!("{said_by}: {text:?}: Podman is reached on a Unix socket or by tcp://");
                return Err(Error::new(ErrorKind::Data, message));
            } else {
                Way::Tcp(host, port.unwrap_or(PORT))
            }
        }
    };
    Ok(Place { way, said_by: said_by.to_owned() })
}

fn of_context(named: &contexts::Named) -> Result<Place> {
    let said_by = format!("the Docker context {}", named.name);
    let way = match parse(Brand::Docker, &named.host, &said_by)? {
        Address::Unix(path) => Way::Unix(path),
        Address::Tcp { .. } if named.unchecked => {
            let message = format!(
                "{said_by} skips the check of the engine's certificate, which hostlink does not: give it a ca.pem"
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        Address::Tcp { host, port, tls } => match &named.certificates {
            Some(directory) => Way::Tls(host, port.unwrap_or(TLS_PORT), tls::config(directory)?),
            None if tls => {
                let message = format!("{said_by} wants TLS, and has no ca.pem");
                return Err(Error::new(ErrorKind::Data, message));
            }
            None => Way::Tcp(host, port.unwrap_or(PORT)),
        },
    };
    Ok(Place { way, said_by })
}
