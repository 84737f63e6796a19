//! The transport through OpenSSH's own client: a master process that holds the login, and its socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
use crate::master::{Master, MasterDirectory};
use crate::mux::Mux;
use crate::transport::{Request, Transport};

/// How long a master may take to answer: it does not ask the host for that.
const MASTER_LIMIT: Duration = Duration::from_secs(10);

/// How often a forward looks whether the user's master is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a master whose channels broke off may take to end, and say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A login that a master process holds.
pub(crate) struct OpenSsh {
    login: Arc<Login>,
    /// Numbers the sockets that streams go through.
    dialled: AtomicU64,
}

/// A master, whosever it is.
struct Login {
    socket: PathBuf,
    owner: Owner,
}

enum Owner {
    Ours(Master),
    /// Given by `ssh_control_path`, with a directory of ours for sockets.
    Users(MasterDirectory),
}

impl Login {
    fn directory(&self) -> &Path {
        match &self.owner {
            Owner::Ours(master) => master.directory(),
            Owner::Users(directory) => directory.path(),
        }
    }

    /// Whether the login is still there; the error says what became of it.
    async fn check(&self) -> Result<()> {
        let session = Session::resume_mux(self.socket.as_path().into(), None);
        match timeout(MASTER_LIMIT, session.check()).await {
            Ok(Ok(())) if self.is_alive() => Ok(()),
            _ => Err(self.lost().await),
        }
    }

    fn is_alive(&self) -> bool {
        match &self.owner {
            Owner::Ours(master) => master.is_alive(),
            Owner::Users(_) => self.socket.exists(),
        }
    }

    /// Calls the master.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if it has too many callers, or has ended: nothing was asked of it, so that the same may be
    /// asked of a new login.
    async fn call(&self) -> Result<Mux> {
        let error = match Mux::connect(&self.socket).await {
            Ok(mux) => return Ok(mux),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::WouldBlock {
            return Err(Error::new(ErrorKind::Busy, "the ssh master has too many callers"));
        }
        let lost = self.lost().await;
        Err(if self.is_alive() { lost } else { lost.with_kind(ErrorKind::Busy) })
    }

    /// What became of it. The end of a master's channels may be seen a little before its own.
    async fn lost(&self) -> Error {
        let gone = || Error::new(ErrorKind::LinkLost, "the ssh connection is gone");
        match &self.owner {
            Owner::Ours(master) => {
                timeout(LAST_WORDS, master.ended()).await.unwrap_or_else(|_| gone())
            }
            Owner::Users(_) => gone(),
        }
    }
}

impl OpenSsh {
    /// Over a master of ours.
    pub(crate) fn new(master: Master) -> Self {
        let login = Login { socket: master.control_path(), owner: Owner::Ours(master) };
        Self { login: Arc::new(login), dialled: AtomicU64::new(0) }
    }

    /// Over a master that the user has started.
    ///
    /// # Errors
    ///
    /// Nobody answers at `path`.
    pub(crate) async fn attach(path: &Path, directory: MasterDirectory) -> Result<Self> {
        let login = Login { socket: path.to_owned(), owner: Owner::Users(directory) };
        login.check().await.map_err(|_| {
            let message = format!(
                "no ssh master answers at {} (ssh_control_path): start one with ssh -M -S, or leave it out",
                path.display()
            );
            Error::new(ErrorKind::Connect, message)
        })?;
        Ok(Self { login: Arc::new(login), dialled: AtomicU64::new(0) })
    }
}

#[async_trait]
impl Transport for OpenSsh {
    async fn open(&self, request: &Request, terminal: Option<TerminalSize>) -> Result<Process> {
        let login = self.login.clone();
        let check = Box::new(|| Box::pin(async move { login.check().await }) as _);
        let mux = self.login.call().await?;
        match channel::open(mux, request, terminal, check).await {
            Err(error) if error.kind() == ErrorKind::LinkLost => {
                let lost = self.login.check().await.err();
                Err(lost.unwrap_or(error))
            }
            opened => opened,
        }
    }

    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        // A socket's name is never used twice: ssh leaves the file behind, and then cannot listen there again.
        let number = self.dialled.fetch_add(1, Ordering::Relaxed);
        let path = self.login.directory().join(format!("d{number}"));
        let (listen, target) = (unix(&path), socket(to));
        let session = Session::resume_mux(self.login.socket.as_path().into(), None);
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
        self.login.is_alive()
    }

    async fn close(&self) -> Result<()> {
        match &self.login.owner {
            Owner::Ours(master) => master.close().await,
            Owner::Users(_) => Ok(()),
        }
    }
}

impl fmt::Debug for OpenSsh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSsh").field("socket", &self.login.socket).finish_non_exhaustive()
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
        Endpoint::Tcp(host, port) => Socket::TcpSocket { host: host.into(), port: *port },
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
            let said = String::from_utf8_lossy(&output.stderr);
            // The last line only says that it failed.
            let said: Vec<&str> =
                said.lines().filter(|it| !it.starts_with("muxclient: ")).collect();
            let error = Error::new(ErrorKind::Connect, message);
            return Err(error.with_stderr_tail(said.join("\n").as_bytes()));
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
        cancel(&self.login, &self.words, &self.listen).await
    }

    async fn lost(&self) -> Error {
        if let Owner::Ours(master) = &self.login.owner {
            return master.ended().await;
        }
        // The user's master is no child of ours, whose end would be told.
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Err(lost) = self.login.check().await {
                return lost;
            }
        }
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
        let listen = self.listen.clone();
        // Without a runtime the program ends, and the master with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { cancel(&login, &words, &listen).await });
        }
    }
}

/// Ends a forward. ssh leaves the file of a socket of ours behind.
async fn cancel(login: &Login, words: &[String], listen: &Endpoint) -> Result<()> {
    // It fails where the master is gone, and the forward with it.
    let cancelled = control(login, "cancel", words).await;
    if let (Endpoint::Unix(path), Some("-L" | "-D")) = (listen, words.first().map(|it| &**it)) {
        let _ = std::fs::remove_file(path);
    }
    cancelled.map(drop)
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
    command.args(["-F", "none", "-S"]).arg(&login.socket).args(["-O", order]).args(words);
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
