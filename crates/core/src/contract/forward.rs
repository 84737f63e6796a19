//! Forwarding of ports and sockets through a link.

use std::fmt;

use async_trait::async_trait;

use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::Duplex;

/// A socket as seen from a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A Unix socket's path.
    Unix(String),
    /// A host and its TCP port.
    Tcp(String, u16),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => f.write_str(path),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Reaches sockets as the target sees them.
#[async_trait]
pub trait Sockets: Send + Sync {
    /// Opens a byte stream to a socket. It needs no slot for a command.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`]: no process listens there.
    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>>;

    /// The connection's way to forward ports, if it has one. Default: it only dials.
    fn forwards(&self) -> Option<&dyn Forwards> {
        None
    }
}

/// Forwards ports and sockets.
#[async_trait]
pub trait Forwards: Send + Sync {
    /// Forwards a port or a socket until the value is dropped or the connection is closed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`]: the socket to listen at is not available.
    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>>;
}

/// A forward to set up, with the sides named as in ssh(1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// `-L`: a client of `listen` on this side reaches `to` as seen from the target.
    Local {
        /// The socket on this side.
        listen: Endpoint,
        /// The socket as seen from the target.
        to: Endpoint,
    },
    /// `-R`: a client of `listen` on the target reaches `to` as seen from here.
    Remote {
        /// The socket on the target. Port 0 lets the target choose.
        listen: Endpoint,
        /// The socket as seen from here.
        to: Endpoint,
    },
    /// `-D`: `listen` on this side is a SOCKS proxy whose connections start at the target.
    Dynamic {
        /// The socket on this side.
        listen: Endpoint,
    },
}

impl Forward {
    /// Parses the argument of ssh's `-L`: `[BIND:]PORT:HOST:PORT`, where either half may be the
    /// path of a socket. BIND is the loopback address by default. An IPv6 address is in brackets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] for any other form.
    pub fn local(text: &str) -> Result<Self> {
        let (listen, to) = both(text, "-L")?;
        Ok(Self::Local { listen, to })
    }

    /// Parses the argument of ssh's `-R`, of the same form.
    ///
    /// # Errors
    ///
    /// As [`local`](Self::local).
    pub fn remote(text: &str) -> Result<Self> {
        let (listen, to) = both(text, "-R")?;
        Ok(Self::Remote { listen, to })
    }

    /// Parses the argument of ssh's `-D`: `[BIND:]PORT`.
    ///
    /// # Errors
    ///
    /// As [`local`](Self::local).
    pub fn dynamic(text: &str) -> Result<Self> {
        let refused = || refused(text, "-D", "[BIND:]PORT");
        let parts = parts(text).ok_or_else(refused)?;
        let (listen, rest) = take_listen(&parts).ok_or_else(refused)?;
        if rest.is_empty() { Ok(Self::Dynamic { listen }) } else { Err(refused()) }
    }

    /// Returns the flag of ssh(1).
    #[must_use]
    pub fn flag(&self) -> &'static str {
        match self {
            Self::Local { .. } => "-L",
            Self::Remote { .. } => "-R",
            Self::Dynamic { .. } => "-D",
        }
    }

    /// Returns the socket that takes connections.
    #[must_use]
    pub fn listen(&self) -> &Endpoint {
        match self {
            Self::Local { listen, .. } | Self::Remote { listen, .. } | Self::Dynamic { listen } => {
                listen
            }
        }
    }
}

/// An active forward.
#[async_trait]
pub trait Forwarding: fmt::Debug + Send + Sync {
    /// Returns the socket that it listens on, with the chosen port if 0 was requested.
    fn listen(&self) -> &Endpoint;

    /// Ends the forward; connections through it may continue. Dropping it also ends it, without
    /// waiting.
    async fn close(&self) -> Result<()>;

    /// Resolves to the reason when the forward has ended without being closed: the link was lost.
    /// Default: never resolves.
    async fn lost(&self) -> Error {
        std::future::pending().await
    }
}

fn both(text: &str, flag: &str) -> Result<(Endpoint, Endpoint)> {
    let refused =
        || refused(text, flag, "[BIND:]PORT:HOST:PORT or SOCKET:SOCKET, or a mix of both");
    let parts = parts(text).ok_or_else(refused)?;
    let (listen, rest) = take_listen(&parts).ok_or_else(refused)?;
    let to = match rest {
        [socket] if is_path(socket) => Endpoint::Unix(socket.clone()),
        [host, port] if !host.is_empty() => {
            let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(refused)?;
            Endpoint::Tcp(host.clone(), port)
        }
        _ => return Err(refused()),
    };
    Ok((listen, to))
}

/// Takes the socket to listen on, and returns the rest.
fn take_listen(parts: &[String]) -> Option<(Endpoint, &[String])> {
    let (first, rest) = parts.split_first()?;
    if is_path(first) {
        return Some((Endpoint::Unix(first.clone()), rest));
    }
    if let Ok(port) = first.parse() {
        return Some((Endpoint::Tcp("localhost".into(), port), rest));
    }
    let (port, rest) = rest.split_first()?;
    // An empty address and `*` mean every interface, as in ssh(1).
    Some((Endpoint::Tcp(first.clone(), port.parse().ok()?), rest))
}

/// Splits at the colons that are not in brackets.
fn parts(text: &str) -> Option<Vec<String>> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let (mut parts, mut part, mut within) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '[' if part.is_empty() && !within => within = true,
            ']' if within => within = false,
            ':' if !within => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    (!within).then_some(parts)
}

fn is_path(part: &str) -> bool {
    part.starts_with('/')
}

fn refused(text: &str, flag: &str, form: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{flag} {text:?} is not {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp(host.into(), port)
    }

    #[test]
    fn forwards_are_read_as_ssh_reads_them() {
        let unix = |path: &str| Endpoint::Unix(path.into());
        for (text, listen, to) in [
            ("8080:web:80", tcp("localhost", 8080), tcp("web", 80)),
            ("127.0.0.1:8080:web:80", tcp("127.0.0.1", 8080), tcp("web", 80)),
            ("*:8080:[::1]:80", tcp("*", 8080), tcp("::1", 80)),
            ("[::1]:8080:[fe80::1]:80", tcp("::1", 8080), tcp("fe80::1", 80)),
            ("/run/a.sock:/run/b.sock", unix("/run/a.sock"), unix("/run/b.sock")),
            ("8080:/run/b.sock", tcp("localhost", 8080), unix("/run/b.sock")),
            ("/run/a.sock:web:80", unix("/run/a.sock"), tcp("web", 80)),
        ] {
            let wanted = Forward::Local { listen: listen.clone(), to: to.clone() };
            assert_eq!(Forward::local(text).unwrap(), wanted, "{text}");
            assert_eq!(Forward::remote(text).unwrap(), Forward::Remote { listen, to });
        }
        let wanted = Forward::Dynamic { listen: tcp("localhost", 1080) };
        assert_eq!(Forward::dynamic("1080").unwrap(), wanted);
    }

    #[test]
    fn what_is_no_forward_is_refused() {
        for text in
            ["", "80", "80:web", "80:web:0", "80:web:x", "x:web:80", "80:web:80:1", "[::1:80:a:1"]
        {
            assert!(Forward::local(text).is_err(), "{text}");
        }
        for text in ["", "web", "1080:web:80", "1080:\n"] {
            assert!(Forward::dynamic(text).is_err(), "{text}");
        }
    }
}
