//! The transport through OpenSSH's own client: a master process that holds the login, and its socket.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hostlink_core::{
    Duplex, Endpoint, Error, ErrorKind, Forward, Forwarding, Process, Result, SECRET_VARIABLES,
    TerminalSize,
};
use openssh::{ForwardType, Session, Socket};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::channel;
use crate::master::{Directory, Master};
use crate::transport::{Request, Transport};

/// How long a master of ours may take to answer: it does not ask the host for that.
const MASTER_LIMIT: Duration = Duration::from_secs(10);

/// A login that a master process holds.
pub(crate) struct OpenSsh {
    login: Arc<Login>,
    /// For the sockets that streams go through.
    directory: Directory,
}

/// Whose master it is.
enum Login {
    Own(Master),
    /// The user's, given by `ssh_control_path`.
    Users(PathBuf),
}

impl Login {
    fn socket(&self) -> &Path {
        match self {
            Self::Own(master) => master.control_path(),
            Self::Users(path) => path,
        }
    }

    /// Whether the login is still there; the error says what became of it.
    async fn check(&self) -> Result<()> {
        if let Self::Own(master) = self
            && let Some(lost) = master.lost()
        {
            return Err(lost);
        }
        let session = Session::resume_mux(self.socket().into(), None);
        let gone = || Error::new(ErrorKind::LinkLost, "the ssh connection is gone");
        match timeout(MASTER_LIMIT, session.check()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(match self {
                Self::Own(master) => master.lost().unwrap_or_else(gone),
                Self::Users(_) => gone(),
            }
            .with_source(error)),
            Err(_) => Err(gone()),
        }
    }
}

impl OpenSsh {
    /// Over a master of ours.
    pub(crate) fn new(master: Master, directory: Directory) -> Self {
        Self { login: Arc::new(Login::Own(master)), directory }
    }

    /// Over a master that the user has started.
    ///
    /// # Errors
    ///
    /// Nobody answers at `path`.
    pub(crate) async fn attach(path: &Path, directory: Directory) -> Result<Self> {
        let login = Login::Users(path.to_owned());
        login.check().await.map_err(|error| {
            let message =
                format!("ssh_control_path: no ssh master answers at {}", path.display());
            Error::new(ErrorKind::Connect, message).with_source(error)
        })?;
        Ok(Self { login: Arc::new(login), directory })
    }

    fn session(&self) -> Session {
        Session::resume_mux(self.login.socket().into(), None)
    }
}

#[async_trait]
impl Transport for OpenSsh {
    async fn open(&self, request: &Request, terminal: Option<TerminalSize>) -> Result<Process> {
        let login = self.login.clone();
        let check = Box::new(|| Box::pin(async move { login.check().await }) as _);
        let opened = channel::open(self.login.socket(), request, terminal, check).await;
        match opened {
            Err(error) if error.kind() == ErrorKind::LinkLost => {
                Err(self.login.check().await.err().unwrap_or(error))
            }
            opened => opened,
        }
    }

    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        // A socket's name is never used twice: ssh leaves the file behind, and then cannot listen there again.
        let path = self.directory.new_path("d");
        let (listen, target) = (unix(&path), socket(to));
        let session = self.session();
        let refused = |error| {
            Error::new(ErrorKind::Connect, format!("ssh does not reach {to}")).with_source(error)
        };
        let forward = session.request_port_forward(ForwardType::Local, listen, target);
        limited(forward).await?.map_err(refused)?;
        let stream = UnixStream::connect(&path).await;
        // The stream lives on without the socket that it was opened by.
        let closing = session.close_port_forward(ForwardType::Local, unix(&path), socket(to));
        let _ = limited(closing).await?;
        let _ = std::fs::remove_file(&path);
        let gone = |error| {
            Error::new(ErrorKind::LinkLost, "the ssh connection is gone").with_source(error)
        };
        Ok(Box::new(stream.map_err(gone)?))
    }

    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        OpenSshForwarding::open(self.login.clone(), forward).await
    }

    fn is_alive(&self) -> bool {
        match &*self.login {
            Login::Own(master) => master.lost().is_none(),
            Login::Users(path) => path.exists(),
        }
    }

    async fn close(&self) {
        if let Login::Own(master) = &*self.login {
            master.close().await;
        }
    }
}

impl fmt::Debug for OpenSsh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSsh").field("socket", &self.login.socket()).finish_non_exhaustive()
    }
}

async fn limited<T>(work: impl Future<Output = T>) -> Result<T> {
    timeout(MASTER_LIMIT, work)
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "the ssh master does not answer"))
}

fn unix(path: &Path) -> Socket<'_> {
    Socket::UnixSocket { path: path.into() }
}

fn socket(endpoint: &Endpoint) -> Socket<'_> {
    match endpoint {
        Endpoint::Unix(path) => unix(Path::new(path)),
        Endpoint::Tcp(host, port) => Socket::TcpSocket { host: host.into(), port: (*port).into() },
    }
}

/// A forward of the master's, asked for with `ssh -O forward`: it checks what it is given, says why not, and knows
/// `-D`, which the package for the protocol does not.
struct OpenSshForwarding {
    login: Arc<Login>,
    words: Vec<String>,
    listen: Endpoint,
    closed: AtomicBool,
}

impl OpenSshForwarding {
    async fn open(login: Arc<Login>, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        let words = words(forward);
        let output = control(&login, "forward", &words).await?;
        if !output.status.success() {
            let message = format!("{} cannot be forwarded", words.join(" "));
            return Err(Error::new(ErrorKind::Connect, message).with_stderr_tail(&output.stderr));
        }
        let mut listen = match forward {
            Forward::Local { listen, .. }
            | Forward::Remote { listen, .. }
            | Forward::Dynamic { listen } => listen.clone(),
        };
        // What the host chose for port 0 is said on standard output.
        if let Endpoint::Tcp(_, port @ 0) = &mut listen
            && let Ok(chosen) = String::from_utf8_lossy(&output.stdout).trim().parse()
        {
            *port = chosen;
        }
        Ok(Box::new(Self { login, words, listen, closed: AtomicBool::new(false) }))
    }
}

#[async_trait]
impl Forwarding for OpenSshForwarding {
    fn listen(&self) -> &Endpoint {
        &self.listen
    }

    async fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        // It fails where the master is gone, and the forward with it.
        let _ = control(&self.login, "cancel", &self.words).await?;
        if let (Endpoint::Unix(path), "-L" | "-D") = (&self.listen, &*self.words[0]) {
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }
}

impl fmt::Debug for OpenSshForwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSshForwarding").field("words", &self.words).finish_non_exhaustive()
    }
}

impl Drop for OpenSshForwarding {
    fn drop(&mut self) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let (login, words) = (self.login.clone(), std::mem::take(&mut self.words));
        // Without a runtime the program ends, and the master with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { control(&login, "cancel", &words).await });
        }
    }
}

/// The words for ssh(1).
fn words(forward: &Forward) -> Vec<String> {
    let part = |endpoint: &Endpoint| match endpoint {
        Endpoint::Unix(path) => path.clone(),
        Endpoint::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
        Endpoint::Tcp(host, port) => format!("{host}:{port}"),
    };
    match forward {
        Forward::Local { listen, to } => {
            vec!["-L".into(), format!("{}:{}", part(listen), part(to))]
        }
        Forward::Remote { listen, to } => {
            vec!["-R".into(), format!("{}:{}", part(listen), part(to))]
        }
        Forward::Dynamic { listen } => vec!["-D".into(), part(listen)],
    }
}

async fn control(login: &Login, order: &str, words: &[String]) -> Result<std::process::Output> {
    let mut command = Command::new("ssh");
    // No configuration: nothing of it matters for the socket's other end.
    command.args(["-F", "none", "-S"]).arg(login.socket()).args(["-O", order]).args(words);
    command.args(["--", "master"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    limited(command.output()).await?.map_err(|error| {
        let message = format!("cannot run ssh: {error}: install OpenSSH's client");
        Error::new(ErrorKind::Unsupported, message).with_source(error)
    })
}
