//! The byte streams that carry HTTP.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use hostlink_core::{Duplex, Endpoint, Error, ErrorKind, Link, Result};
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::candidates::Transport;
use super::stdio::Stdio;

/// Opens streams to one engine.
#[derive(Clone)]
pub(super) struct Dialler {
    /// Time limit for opening one stream.
    pub(super) limit: Duration,
    pub(super) to: Arc<Route>,
    /// The maximum size of an answer, in bytes, for clients that gather any answer. Default: none.
    pub(super) bound: Option<usize>,
}

/// The route to the engine.
pub(super) enum Route {
    /// From this machine.
    Here(Transport),
    /// From another target, to a socket on that target.
    Through(Link, Endpoint),
    /// By the engine's own command on another target.
    Command(Box<Stdio>),
}

impl Route {
    /// Returns the machine at its end, as it is known from here; `None` for this one.
    pub(super) fn machine(&self) -> Option<&str> {
        match self {
            Self::Here(Transport::Unix(_)) | Self::Command(_) => None,
            Self::Here(Transport::Tcp(host, _) | Transport::Tls(host, _, _)) => Some(host),
            Self::Through(link, _) => Some(link.name()),
        }
    }

    async fn open(&self) -> Result<Box<dyn Duplex>> {
        match self {
            Self::Here(Transport::Unix(path)) => unix(path).await,
            Self::Here(Transport::Tcp(host, port)) => Ok(Box::new(tcp(host, *port).await?)),
            Self::Here(Transport::Tls(host, port, config)) => {
                let stream = tcp(host, *port).await?;
                let refused = |why: String| {
                    Error::new(ErrorKind::Connect, format!("TLS with {host}:{port} failed: {why}"))
                };
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|error| refused(error.to_string()))?;
                let connector = TlsConnector::from(config.clone());
                let stream = connector.connect(name, stream).await;
                Ok(Box::new(stream.map_err(|error| refused(error.to_string()))?))
            }
            Self::Through(link, endpoint) => link.dial(endpoint).await,
            Self::Command(stdio) => stdio.open().await,
        }
    }
}

async fn unix(path: &str) -> Result<Box<dyn Duplex>> {
    let stream = UnixStream::connect(path).await.map_err(|error| refused(path, error))?;
    Ok(Box::new(stream))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await.and_then(|stream| {
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    stream.map_err(|error| refused(&format!("{host}:{port}"), error))
}

fn refused(place: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Connect,
    };
    Error::new(kind, format!("cannot connect to {place}: {error}")).with_source(error)
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<Wire>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The URI is ignored: there is one engine.
    fn call(&mut self, _uri: Uri) -> Self::Future {
        let Self { to, limit, bound } = self.clone();
        Box::pin(async move {
            let opened = timeout(limit, to.open()).await.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Connect, format!("no connection within {limit:?}")))
            });
            opened.map(|stream| TokioIo::new(Wire { stream, bound, received: 0 }))
        })
    }
}

/// A stream as the HTTP client needs it.
pub(super) struct Wire {
    stream: Box<dyn Duplex>,
    bound: Option<usize>,
    /// The bytes that came since the last request.
    received: usize,
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.received += buffer.filled().len() - before;
        Poll::Ready(match self.bound {
            Some(bound) if self.received > bound => Err(io::Error::other("its answer is too long")),
            _ => Ok(()),
        })
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.received = 0;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
