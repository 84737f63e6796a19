//! One channel on a master's socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::streams::{chunks, until_hang_up};
use hostlink_core::{
    BoxWrite, Chunk, Error, ErrorKind, ExitStatus, NoControl, Process, ProcessControl, Result,
    Stream, TerminalSize,
};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::mux::{Mux, NewSession, Opened, SessionEnd};
use crate::sockets::pair;
use crate::transport::Request;

/// What the host said when it has no free channel, in the words of `mux.c`.
const REFUSED: &str = "Session open refused by peer";

/// The type of a terminal whose user did not say. Programs on it find it everywhere.
const TERM: &str = "xterm";

/// Says whether the login is still there, once a channel has ended without a status.
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
    check: Check,
) -> Result<Process> {
    match terminal {
        Some(size) => on_terminal(mux, request, size, check).await,
        None => on_sockets(mux, request, check).await,
    }
}

async fn on_sockets(mux: Mux, request: &Request, check: Check) -> Result<Process> {
    let (stdin_there, stdin) = pair()?;
    let (stdout_there, stdout) = pair()?;
    let (stderr_there, stderr) = pair()?;
    let given: [OwnedFd; 3] = [stdin_there, stdout_there, stderr_there];
    let session = open_session(mux, request, false, &given).await?;
    drop(given);
    let output = stream::select(chunks(Stream::Stdout, stdout), chunks(Stream::Stderr, stderr));
    Ok(Process {
        stdin: Some(Box::pin(stdin) as BoxWrite),
        output: keeping(output.boxed(), session.clone()),
        exit: Box::pin(ended(session, check)),
        control: Box::new(NoControl),
    })
}

/// The near end of the terminal is a pseudo-terminal of ours: ssh takes the size and the modes for the far end from it,
/// so it is made raw only afterwards.
async fn on_terminal(
    mux: Mux,
    request: &Request,
    size: TerminalSize,
    check: Check,
) -> Result<Process> {
    let (pty, pts) = pty_process::open().map_err(no_terminal)?;
    let size = pty_process::Size::new(size.rows, size.columns);
    pty.resize(size).map_err(no_terminal)?;
    let near = pts.as_fd().try_clone_to_owned().map_err(no_pipe)?;
    let given = [near.try_clone().map_err(no_pipe)?, near.try_clone().map_err(no_pipe)?, near];
    let master = master_of(&mux).await;
    let session = open_session(mux, request, true, &given).await?;
    let raw = tcgetattr(&given[0]).and_then(|mut modes| {
        modes.make_raw();
        tcsetattr(&given[0], OptionalActions::Now, &modes)
    });
    raw.map_err(|error| no_pipe(error.into()))?;
    let window = pty.as_fd().try_clone_to_owned().map_err(no_pipe)?;
    drop((given, pts));
    let (reader, writer) = pty.into_split();
    Ok(Process {
        stdin: Some(Box::pin(writer)),
        output: keeping(until_hang_up(reader), session.clone()),
        exit: Box::pin(ended(session, check)),
        control: Box::new(Window { window, master }),
    })
}

/// Asks for the session. ssh gets copies of the descriptors.
async fn open_session(
    mux: Mux,
    request: &Request,
    terminal: bool,
    given: &[OwnedFd; 3],
) -> Result<Arc<Mux>> {
    let (command, subsystem) = match request {
        Request::Line(line) => (&**line, false),
        Request::Subsystem(name) => (name.as_bytes(), true),
    };
    let session = NewSession { command, subsystem, terminal: terminal.then_some(TERM) };
    match mux.open(&session, given).await {
        Ok(Opened::Session) => Ok(Arc::new(mux)),
        Ok(Opened::Refused(reason)) if reason.contains(REFUSED) => {
            Err(Error::new(ErrorKind::Busy, "the host has no free channel"))
        }
        Ok(Opened::Refused(reason)) => {
            let message = format!("ssh opens no channel: {}", reason.trim());
            Err(Error::new(ErrorKind::Connect, message))
        }
        Err(error) => {
            let lost = Error::new(ErrorKind::LinkLost, "the ssh connection broke off");
            Err(lost.with_source(error))
        }
    }
}

fn no_pipe(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("no pipe could be opened: {error}")).with_source(error)
}

fn no_terminal(error: pty_process::Error) -> Error {
    Error::new(ErrorKind::Connect, "no pseudo-terminal could be opened").with_source(error)
}

/// Output that the master writes for as long as the connection to it is there.
fn keeping(
    output: BoxStream<'static, io::Result<Chunk>>,
    mux: Arc<Mux>,
) -> BoxStream<'static, io::Result<Chunk>> {
    output
        .map(move |chunk| {
            let _kept = &mux;
            chunk
        })
        .boxed()
}

/// The end of a session without a status means that a signal ended the command, which the protocol does not name, or
/// that the login is gone: `check` tells.
async fn ended(mux: Arc<Mux>, check: Check) -> Result<ExitStatus> {
    match mux.ended().await {
        SessionEnd::Code(code) => Ok(ExitStatus::Code(i32::try_from(code).unwrap_or(255))),
        SessionEnd::Unknown => check().await.map(|()| ExitStatus::UnknownSignal),
    }
}

/// The pid of a master, which is told of a new size by SIGWINCH, as `mux.c` does.
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
