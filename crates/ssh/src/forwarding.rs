//! Forwards of ports and sockets, which the master makes.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hostlink_core::{Endpoint, Error, ErrorKind, Forward, Forwarding, Result, SECRET_VARIABLES};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::login::{Login, Owner, limited};

/// How much is kept of what `ssh -O` says, of each output.
const MOST_SAID: u64 = 64 * 1024;

/// Interval at which a forward checks that the user's master is alive.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Starts `forward`.
///
/// # Errors
///
/// ssh's own reason.
pub(crate) async fn open(login: Arc<Login>, forward: &Forward) -> Result<Box<dyn Forwarding>> {
    OpenSshForwarding::open(login, forward).await
}

/// A forward by the master, requested with `ssh -O forward`, which checks its arguments, reports
/// errors, and knows `-D`. The package for the protocol does not.
struct OpenSshForwarding {
    login: Arc<Login>,
    words: Vec<String>,
    listen: Endpoint,
    closed: AtomicBool,
}

impl OpenSshForwarding {
    async fn open(login: Arc<Login>, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        let forward = &with_free_port(forward)?;
        let words = words(forward)?;
        let output = control(&login, "forward", &words).await?;
        if !output.status.success() {
            let message = format!("{} cannot be forwarded", words.join(" "));
            let said = String::from_utf8_lossy(&output.stderr);
            // The last line only reports that it failed.
            let said: Vec<&str> =
                said.lines().filter(|it| !it.starts_with("muxclient: ")).collect();
            let error = Error::new(ErrorKind::Connect, message);
            return Err(error.with_stderr_tail(said.join("\n").as_bytes()));
        }
        let mut listen = forward.listen().clone();
        // ssh prints the port that the host chose for port 0.
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
        // The user's master is not our child, so its end is not reported to us.
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
        // Without a runtime, the program is ending, and the master with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { cancel(&login, &words, &listen).await });
        }
    }
}

/// Ends a forward, and removes the file of its socket here, which ssh leaves.
async fn cancel(login: &Login, words: &[String], listen: &Endpoint) -> Result<()> {
    // It fails if the master is gone, and the forward with it.
    let cancelled = control(login, "cancel", words).await;
    if let (Endpoint::Unix(path), Some("-L" | "-D")) = (listen, words.first().map(|it| &**it)) {
        let _ = std::fs::remove_file(path);
    }
    cancelled.map(drop)
}

/// Finds a free port for port 0 on this side: ssh chooses one only on the host.
fn with_free_port(forward: &Forward) -> Result<Forward> {
    let mut forward = forward.clone();
    if let Forward::Local { listen, .. } | Forward::Dynamic { listen } = &mut forward
        && let Endpoint::Tcp(host, port @ 0) = listen
    {
        let host = if matches!(&**host, "" | "*") { "0.0.0.0" } else { host };
        let found = TcpListener::bind((host, 0)).and_then(|socket| socket.local_addr());
        *port = found.map(|address| address.port()).map_err(|error| {
            let message = format!("no port is free on {host}: {error}");
            Error::new(ErrorKind::Connect, message).with_source(error)
        })?;
    }
    Ok(forward)
}

/// Returns the arguments of ssh(1).
///
/// # Errors
///
/// [`ErrorKind::Data`]: a path that ssh would read as something else.
fn words(forward: &Forward) -> Result<Vec<String>> {
    let part = |endpoint: &Endpoint| match endpoint {
        Endpoint::Unix(path) if path.contains([':', '%', '$']) => {
            let message = format!("ssh cannot forward {path:?}: no :, % or $ may be in the path");
            Err(Error::new(ErrorKind::Data, message))
        }
        Endpoint::Unix(path) => Ok(path.clone()),
        Endpoint::Tcp(host, port) if host.contains(':') => Ok(format!("[{host}]:{port}")),
        Endpoint::Tcp(host, port) => Ok(format!("{host}:{port}")),
    };
    let listen = part(forward.listen())?;
    let sockets = match forward {
        Forward::Local { to, .. } | Forward::Remote { to, .. } => format!("{listen}:{}", part(to)?),
        Forward::Dynamic { .. } => listen,
    };
    Ok(vec![forward.flag().to_owned(), sockets])
}

async fn control(login: &Login, order: &str, words: &[String]) -> Result<Output> {
    let mut command = Command::new("ssh");
    // Without configuration, since the master has its own.
    command.args(["-F", "none", "-S"]).arg(&login.socket).args(["-O", order]).args(words);
    command.args(["--", "master"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    limited(output(command)).await?.map_err(|error| {
        let message = format!("cannot run ssh: {error}: install OpenSSH's client");
        Error::new(ErrorKind::Unsupported, message).with_source(error)
    })
}

/// Runs a program. One that says more than is kept cannot write any more.
async fn output(mut command: Command) -> io::Result<Output> {
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(start_of(stdout), start_of(stderr))?;
    Ok(Output { status: child.wait().await?, stdout, stderr })
}

async fn start_of(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    if let Some(stream) = stream {
        stream.take(MOST_SAID).read_to_end(&mut said).await?;
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_ends_is_cut_off() {
        for (line, lengths) in [
            ("exec yes", (MOST_SAID, 0)),
            ("exec yes >&2", (0, MOST_SAID)),
            ("echo out; echo err >&2", (4, 4)),
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", line]).stdout(Stdio::piped()).stderr(Stdio::piped());
            let said = output(command).await.unwrap();
            assert_eq!((said.stdout.len() as u64, said.stderr.len() as u64), lengths, "{line}");
        }
    }
}
