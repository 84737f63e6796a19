//! One channel on a master's socket.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::streams::chunks;
use hostlink_core::{
    BoxWrite, Chunk, Error, ErrorKind, ExitStatus, NoControl, Process, ProcessControl, Result,
    Stream, TerminalSize,
};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use tokio::time::timeout;

use crate::mux::{Mux, NewSession, Opened, SessionEnd};
use crate::slots::Channel;
use crate::sockets::pair;
use crate::transport::{Request, Writing};

/// The reason that `mux.c` gives if the host has no free channel.
const REFUSED: &str = "Session open refused by peer";

/// The type of a terminal, if the user names none. Every host knows it.
const TERM: &str = "xterm";

/// How long a channel may take to close: a round trip, if the link is alive.
const CLOSING: Duration = Duration::from_secs(2);

/// Checks that the login is alive, after a channel has ended without a status.
pub(crate) type Check = Box<dyn FnOnce() -> BoxFuture<'static, Result<()>> + Send>;

/// Opens a channel on the master at the other end of `mux`.
///
/// # Errors
///
/// As [`Transport::open`](crate::transport::Transport::open).
pub(crate) async fn open(
    mux: Mux,
    request: &Request,
    terminal: Option<TerminalSize>,
    channel: Option<Channel>,
    check: Check,
) -> Result<Process> {
    match terminal {
        Some(size) => on_terminal(mux, request, size, channel, check).await,
        None => on_sockets(mux, request, channel, check).await,
    }
}

/// Runs a line whose standard output is a file of this machine, which the master itself writes. The
/// line has no input, and its standard error is dropped.
///
/// # Errors
///
/// As [`Transport::run_into`](crate::transport::Transport::run_into).
pub(crate) async fn run_into(
    mux: Mux,
    line: Vec<u8>,
    file: OwnedFd,
    channel: Channel,
    check: Check,
) -> Result<Writing> {
    let null = File::options().read(true).write(true).open("/dev/null").map_err(no_copy)?;
    let given = [null.try_clone().map_err(no_copy)?.into(), file, null.into()];
    let session = open_session(mux, &Request::Line(line), false, &given, Some(channel)).await?;
    drop(given);
    let kept = session.clone();
    Ok(Writing {
        exit: Box::pin(ended(session, check)),
        // The exit code may arrive before the output.
        written: Box::pin(async move {
            if let Some(mux) = &kept.mux {
                mux.closed().await;
            }
        }),
    })
}

async fn on_sockets(
    mux: Mux,
    request: &Request,
    channel: Option<Channel>,
    check: Check,
) -> Result<Process> {
    let (stdin_there, stdin) = pair()?;
    let (stdout_there, stdout) = pair()?;
    let (stderr_there, stderr) = pair()?;
    let given: [OwnedFd; 3] = [stdin_there, stdout_there, stderr_there];
    let session = open_session(mux, request, false, &given, channel).await?;
    drop(given);
    let output = stream::select(chunks(Stream::Stdout, stdout), chunks(Stream::Stderr, stderr));
    Ok(Process {
        stdin: Some(Box::pin(stdin) as BoxWrite),
        output: keeping(output.boxed(), session.clone()),
        exit: Box::pin(ended(session, check)),
        control: Box::new(NoControl),
        terminal: None,
    })
}

/// ssh's standard input is a pseudo-terminal of ours. ssh copies its size and modes when the
/// session is requested, so it is made raw after that, and nothing is typed before. Output may come
/// earlier, so it goes through a socket, which changes no byte.
async fn on_terminal(
    mux: Mux,
    request: &Request,
    size: TerminalSize,
    channel: Option<Channel>,
    check: Check,
) -> Result<Process> {
    let (pty, pts) = pty_process::open().map_err(no_terminal)?;
    let size = pty_process::Size::new(size.rows, size.columns);
    pty.resize(size).map_err(no_terminal)?;
    let (output_there, output) = pair()?;
    let near = pts.as_fd().try_clone_to_owned().map_err(no_copy)?;
    // On a terminal, the host has only one output.
    let errors_there = output_there.try_clone().map_err(no_copy)?;
    let given = [near, output_there, errors_there];
    let master = master_of(&mux).await;
    let session = open_session(mux, request, true, &given, channel).await?;
    let raw = tcgetattr(&given[0]).and_then(|mut modes| {
        modes.make_raw();
        tcsetattr(&given[0], OptionalActions::Now, &modes)
    });
    raw.map_err(|error| no_copy(error.into()))?;
    let window = pty.as_fd().try_clone_to_owned().map_err(no_copy)?;
    drop((given, pts));
    // While output is still to come, the end of input must not hang up the terminal.
    let (kept, writer) = pty.into_split();
    let output = chunks(Stream::Stdout, output).map(move |chunk| {
        let _kept = &kept;
        chunk
    });
    Ok(Process {
        stdin: Some(Box::pin(writer)),
        output: keeping(output.boxed(), session.clone()),
        exit: Box::pin(ended(session, check)),
        control: Box::new(Window { window, master }),
        terminal: None,
    })
}

/// Requests the session. ssh gets copies of the descriptors.
async fn open_session(
    mux: Mux,
    request: &Request,
    terminal: bool,
    given: &[OwnedFd; 3],
    channel: Option<Channel>,
) -> Result<Arc<Session>> {
    let (command, subsystem) = match request {
        Request::Line(line) => (&**line, false),
        Request::Subsystem(name) => (name.as_bytes(), true),
    };
    let session = NewSession { command, subsystem, terminal: terminal.then_some(TERM) };
    match mux.open(&session, given).await {
        Ok(Opened::Session) => Ok(Arc::new(Session::new(mux, channel))),
        Ok(Opened::Refused(reason)) if reason.contains(REFUSED) => {
            if let Some(channel) = channel {
                channel.refused();
            }
            Err(Error::new(ErrorKind::Busy, "the host has no free channel"))
        }
        Ok(Opened::Refused(reason)) => {
            let message = format!("ssh cannot open a channel: {}", reason.trim());
            Err(Error::new(ErrorKind::Connect, message))
        }
        Err(error) => {
            let lost = Error::new(ErrorKind::LinkLost, "the ssh connection broke off");
            Err(lost.with_source(error))
        }
    }
}

fn no_copy(error: io::Error) -> Error {
    let message = format!("a file or terminal cannot be passed to ssh: {error}");
    Error::new(ErrorKind::Connect, message).with_source(error)
}

fn no_terminal(error: pty_process::Error) -> Error {
    Error::new(ErrorKind::Connect, "no pseudo-terminal could be opened").with_source(error)
}

/// An open session: the connection to the master, whose end is the session's, and its channel.
struct Session {
    /// There until this is dropped.
    mux: Option<Mux>,
    channel: Option<Channel>,
    /// Whether the command's exit code has arrived.
    has_ended: AtomicBool,
    /// Whether all its output has arrived.
    is_read: AtomicBool,
}

impl Session {
    fn new(mux: Mux, channel: Option<Channel>) -> Self {
        Self { mux: Some(mux), channel, has_ended: false.into(), is_read: false.into() }
    }
}

impl Drop for Session {
    /// A session at its end still counts on the host until its channel is closed, a moment in which
    /// the next one might be refused. A session that is not at its end is dropped immediately.
    fn drop(&mut self) {
        let over = *self.has_ended.get_mut() && *self.is_read.get_mut();
        if let (true, Some(mux), Some(mut channel)) = (over, self.mux.take(), self.channel.take())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            channel.close();
            runtime.spawn(async move {
                let _ = timeout(CLOSING, mux.closed()).await;
                drop(channel);
            });
        }
    }
}

/// Keeps the session open while its output is read.
fn keeping(
    output: BoxStream<'static, io::Result<Chunk>>,
    session: Arc<Session>,
) -> BoxStream<'static, io::Result<Chunk>> {
    let end = stream::poll_fn(move |_| {
        session.is_read.store(true, Ordering::Relaxed);
        Poll::Ready(None)
    });
    output.chain(end).boxed()
}

/// Returns the exit status. A session that ends without one was ended by a signal, which the
/// protocol does not name, unless `check` finds that the login is gone.
async fn ended(session: Arc<Session>, check: Check) -> Result<ExitStatus> {
    let end = match &session.mux {
        Some(mux) => mux.ended().await,
        None => SessionEnd::Unknown,
    };
    match end {
        SessionEnd::Code(code) => {
            session.has_ended.store(true, Ordering::Relaxed);
            Ok(ExitStatus::Code(i32::try_from(code).unwrap_or(255)))
        }
        SessionEnd::Unknown => check().await.map(|()| ExitStatus::UnknownSignal),
    }
}

/// Returns the pid of a master, which learns of a new terminal size by SIGWINCH, as in `mux.c`.
async fn master_of(mux: &Mux) -> Option<Pid> {
    let pid = mux.pid().await.ok()?;
    Pid::from_raw(i32::try_from(pid).ok()?)
}

struct Window {
    window: OwnedFd,
    master: Option<Pid>,
}

#[async_trait]
impl ProcessControl for Window {
    fn kill(&self) -> Option<i32> {
        None
    }

    async fn resize(&self, size: TerminalSize) -> Result<()> {
        let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        let told = tcsetwinsize(&self.window, size).and_then(|()| match self.master {
            Some(master) => kill_process(master, Signal::WINCH),
            None => Ok(()),
        });
        told.map_err(|error| {
            Error::new(ErrorKind::Unsupported, "the terminal's size cannot be set")
                .with_source(io::Error::from(error))
        })
    }
}
