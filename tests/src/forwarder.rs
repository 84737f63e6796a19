//! Forwards ports where both ends are this machine, for connectors in tests.

use async_trait::async_trait;
use hostlink::forward::{Endpoint, Forward, Forwarding};
use hostlink::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A forward between two TCP sockets of this machine. A client breaks it by sending `LOSE` first.
#[derive(Debug)]
pub struct Forwarder {
    listen: Endpoint,
    task: AbortHandle,
    lost: watch::Receiver<bool>,
}

impl Forwarder {
    /// Listens, and connects each client to the other side.
    ///
    /// # Errors
    ///
    /// Fails if the port is taken, or if the endpoint is not a TCP port.
    pub async fn open(forward: &Forward) -> Result<Self> {
        let (listen, to) = match forward {
            Forward::Local { listen, to } | Forward::Remote { listen, to } => (listen, Some(to)),
            Forward::Dynamic { listen } => (listen, None),
        };
        let failed = |error| {
            Error::new(ErrorKind::Connect, format!("cannot listen at {listen}")).with_source(error)
        };
        let listener = TcpListener::bind(address(listen)?).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let to = to.map(address).transpose()?;
        let (tell, lost) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (tell, to) = (tell.clone(), to.clone());
                tokio::spawn(async move {
                    if let Some(true) = serve(client, to).await {
                        tell.send_replace(true);
                    }
                });
            }
        });
        let host = address(listen)?.0;
        Ok(Self { listen: Endpoint::Tcp(host, port), task: task.abort_handle(), lost })
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Forwarding for Forwarder {
    fn listen(&self) -> &Endpoint {
        &self.listen
    }

    async fn close(&self) -> Result<()> {
        self.task.abort();
        Ok(())
    }

    async fn lost(&self) -> Error {
        let mut lost = self.lost.clone();
        let told = lost.wait_for(|lost| *lost).await.is_ok();
        if !told {
            std::future::pending::<()>().await;
        }
        Error::new(ErrorKind::LinkLost, "the link is lost")
    }
}

fn address(endpoint: &Endpoint) -> Result<(String, u16)> {
    match endpoint {
        Endpoint::Tcp(host, port) => Ok((host.clone(), *port)),
        Endpoint::Unix(_) => Err(Error::new(ErrorKind::Unsupported, "TCP ports only")),
    }
}

/// Serves one client. Returns true if the client asks to lose the link.
async fn serve(mut client: TcpStream, to: Option<(String, u16)>) -> Option<bool> {
    let to = match to {
        Some(to) => to,
        None => socks_request(&mut client).await?,
    };
    let mut first = [0; 4];
    let length = client.peek(&mut first).await.ok()?;
    if &first[..length] == b"LOSE" {
        return Some(true);
    }
    let mut server = TcpStream::connect(to).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(false)
}

/// SOCKS 5 (RFC 1928): no authentication, CONNECT to an IPv4 address.
async fn socks_request(client: &mut TcpStream) -> Option<(String, u16)> {
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).await.ok()?;
    client.write_all(&[5, 0]).await.ok()?;
    let mut request = [0; 10];
    client.read_exact(&mut request).await.ok()?;
    let [5, 1, 0, 1, a, b, c, d, high, low] = request else { return None };
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    Some((format!("{a}.{b}.{c}.{d}"), u16::from_be_bytes([high, low])))
}
