//! Byte streams to sockets as seen from the host.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use hostlink_core::{Duplex, Error, ErrorKind, Result};
use openssh::{ForwardType, Session, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::login::{Login, OPEN_LIMIT, gone, limited};
use crate::mux::{Mux, Opened};
use crate::sockets::pair;

/// Opens a TCP connection by the master's own `-W`, which reports whether it was accepted.
pub(crate) async fn tcp(login: Arc<Login>, host: &str, port: u16) -> Result<Box<dyn Duplex>> {
    let (far_in, near_out) = pair()?;
    let (far_out, near_in) = pair()?;
    let mux = login.call().await?;
    let opened = timeout(OPEN_LIMIT, mux.forward_stream(host, port, &[far_in, far_out])).await;
    let refused = |why: &str| {
        Error::new(ErrorKind::Connect, format!("ssh cannot connect to {host}:{port}: {why}"))
    };
    match opened {
        Ok(Ok(Opened::Session)) => {}
        Ok(Ok(Opened::Refused(why))) => return Err(refused(why.trim())),
        Ok(Err(error)) => {
            let lost = login.check().await.err();
            return Err(lost.unwrap_or_else(|| refused("the master broke off")).with_source(error));
        }
        Err(_) => return Err(refused("no answer")),
    }
    let streams = tokio::io::join(near_in, near_out);
    Ok(Box::new(Dialled { streams, login, end: End::Ahead, _mux: Some(mux) }))
}

/// Opens a Unix socket by a forward, since ssh's `-W` supports them only from 9.4 on. The forward
/// is requested in a task of its own, so that a cancelled call leaves no listener.
pub(crate) async fn unix(login: Arc<Login>, number: u64, path: &str) -> Result<Box<dyn Duplex>> {
    // Each socket has a new name: ssh leaves the file, and then cannot listen there again.
    let here = login.directory().join(format!("d{number}"));
    let there = path.to_owned();
    let held = login.clone();
    let dialling = tokio::spawn(async move {
        let _place = login.callers.acquire().await;
        let session = Session::resume_mux(login.socket.as_path().into(), None);
        let refused = |error| {
            let message = format!("ssh cannot connect to {there}");
            Error::new(ErrorKind::Connect, message).with_source(error)
        };
        let target = at(Path::new(&there));
        let forward = session.request_port_forward(ForwardType::Local, at(&here), target.clone());
        limited(forward).await?.map_err(refused)?;
        let stream = UnixStream::connect(&here).await;
        // The stream stays open without the socket.
        let closing = session.close_port_forward(ForwardType::Local, at(&here), target);
        let _ = limited(closing).await?;
        let _ = std::fs::remove_file(&here);
        stream.map_err(|error| gone().with_source(error))
    });
    let stream = dialling.await.map_err(|_| gone())??;
    Ok(Box::new(Dialled { streams: stream, login: held, end: End::Ahead, _mux: None }))
}

fn at(path: &Path) -> Socket<'_> {
    Socket::UnixSocket { path: path.into() }
}

/// A connection through the master. A connection to a TCP port ends with the connection to the
/// master that requested it.
struct Dialled<S> {
    streams: S,
    login: Arc<Login>,
    end: End,
    _mux: Option<Mux>,
}

/// A stream may end since the login ended, which loses output on its way.
enum End {
    Ahead,
    /// The stream has ended, or was reset, and the login is being checked.
    InDoubt(BoxFuture<'static, Result<()>>, io::Result<()>),
    Certain,
}

impl<S: AsyncRead + Unpin + Send> AsyncRead for Dialled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.end {
                End::Certain => return Poll::Ready(Ok(())),
                End::InDoubt(check, end) => {
                    let checked = ready!(check.as_mut().poll(context)).map_err(io::Error::other);
                    let end = std::mem::replace(end, Ok(()));
                    this.end = End::Certain;
                    return Poll::Ready(checked.and(end));
                }
                End::Ahead => {}
            }
            let before = buffer.filled().len();
            let read = ready!(Pin::new(&mut this.streams).poll_read(context, buffer));
            let is_over = match &read {
                Ok(()) => buffer.filled().len() == before && buffer.remaining() > 0,
                Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
            };
            if !is_over {
                return Poll::Ready(read);
            }
            let login = this.login.clone();
            this.end = End::InDoubt(Box::pin(async move { login.check().await }), read);
        }
    }
}

impl<S: AsyncWrite + Unpin + Send> AsyncWrite for Dialled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.streams).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.streams).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.streams).poll_shutdown(context)
    }
}
