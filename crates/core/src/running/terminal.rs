//! Commands on a terminal that somebody types at.
//!
//! # How a session runs
//!
//! `Link::open_terminal` → `Starter` → `pump`, as for a command; it returns when the innermost
//! shell has announced itself, so that the user's terminal becomes raw only then. The pump's source
//! and sink are ends of channels that `Terminal::serve` joins to the caller's. The command line's
//! half is in `crates/cli`: `shell` (who types, and what for), `escapes` (`~.`), `tty` (modes; what
//! was there before the first change is kept in one place, and put back at the end of the program
//! whoever held it), `prompt` (questions).

use std::fmt;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{mpsc, oneshot};

use crate::contract::connection::SpawnOptions;
use crate::contract::process::{ProcessControl, TerminalSize};
use crate::running::handshake::START_LIMIT;
use crate::running::pump::{Input, Limits, pump};
use crate::running::run::within;
use crate::running::served::Ended;
use crate::running::shared::Shared;
use crate::running::start::Starter;
use crate::running::sudo_words;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::error::{Error, Result};
use crate::values::io::{BoxRead, OutputSink, Stream};
use crate::values::status::ExitStatus;

/// How long the terminal is read on after the command's end while somebody else still holds it. Who
/// types waits for it.
const SILENCE: Duration = Duration::from_millis(500);

/// A command that runs on a terminal of its own on the target, from
/// [`Link::open_terminal`](crate::Link::open_terminal).
///
/// Dropping it kills the command and all that it started.
#[must_use = "dropping it kills the command"]
pub struct Terminal {
    name: String,
    serving: BoxFuture<'static, Result<Ended>>,
    input: oneshot::Sender<BoxRead>,
    output: mpsc::Receiver<Bytes>,
    window: Window,
}

impl Terminal {
    /// What changes its size, also while it is served.
    pub fn window(&self) -> Window {
        self.window.clone()
    }

    /// Passes bytes on both ways until the command has ended, unchanged: control characters from
    /// `input` reach the terminal, which makes signals of them. The end of `input` is typed as ^D.
    ///
    /// A slow `output` slows the command down, and does not keep input from arriving.
    ///
    /// # Errors
    ///
    /// The link broke, the time was up, `input` could not be read, or `output` failed. The command
    /// is then killed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the command and all that it started.
    pub async fn serve(
        self,
        input: impl AsyncRead + Send + 'static,
        output: &mut dyn OutputSink,
    ) -> Result<ExitStatus> {
        let Self { name, serving, input: typing, output: mut chunks, window: _ } = self;
        // Nobody takes it where the command has ended already.
        let _ = typing.send(Box::pin(input));
        let passing = async {
            while let Some(bytes) = chunks.recv().await {
                output
                    .write(Stream::Stdout, &bytes)
                    .await
                    .map_err(|error| Error::from_io("the output could not be passed on", error))?;
            }
            Ok(())
        };
        // What was written before an error is passed on too.
        let both = tokio::try_join!(async { Ok(serving.await) }, passing);
        let ended = both.and_then(|(ended, ())| ended);
        ended.map(|ended| ended.status).map_err(|error| error.with_target(name))
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The size of a [`Terminal`], to be changed. Clones share it.
#[derive(Clone)]
pub struct Window(Weak<dyn ProcessControl>);

impl Window {
    /// Tells the terminal its size; whoever runs there gets SIGWINCH. Once the command has ended,
    /// it does nothing.
    ///
    /// # Errors
    ///
    /// The link broke.
    pub async fn resize(&self, size: TerminalSize) -> Result<()> {
        match self.0.upgrade() {
            Some(control) => control.resize(size).await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").finish_non_exhaustive()
    }
}

/// Starts a command on a terminal, and waits until it has started.
pub(crate) async fn open(
    link: &Shared,
    command: &StringCommand,
    arguments: &ConnectorArguments,
    size: TerminalSize,
) -> Result<Terminal> {
    let mut arguments = arguments.clone();
    if let Some(password) = link.ask_for_password(&arguments).await? {
        arguments = arguments.answered(password);
    }
    match open_once(link, command, &arguments, size).await {
        Err(Refused { may_want_password: true, .. }) => {}
        opened => return opened.map_err(|refused| refused.error),
    }
    let arguments = arguments.answered(link.sudo_password().await?);
    open_once(link, command, &arguments, size).await.map_err(|refused| refused.error)
}

/// Why it was not started.
struct Refused {
    error: Error,
    /// sudo may have wanted a password, and nobody was asked for it.
    may_want_password: bool,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, may_want_password: false }
    }
}

async fn open_once(
    link: &Shared,
    command: &StringCommand,
    arguments: &ConnectorArguments,
    size: TerminalSize,
) -> Result<Terminal, Refused> {
    let options = SpawnOptions { terminal: Some(size), ..SpawnOptions::default() };
    let mut starter = Starter::new(link, command, arguments, options, false)?;
    starter.whole_session = true;
    let served = within(arguments.timeout, starter.start()).await?;
    let window = Window(served.control.clone());
    let progress = served.progress.clone();
    let mut started = progress.started.subscribe();
    let limits = Limits {
        whole: arguments.timeout,
        start: arguments.is_privileged().then_some(START_LIMIT),
        silence: SILENCE,
        ..Limits::default()
    };
    let (input, awaited) = oneshot::channel();
    let (sender, output) = mpsc::channel(1);
    let (script, of) = (starter.script, link.clone());
    let password = arguments.sudo_password.clone();
    let mut serving = async move {
        let source = Box::pin(Typed::Awaited(awaited));
        let ended = pump(
            served,
            &script,
            &Input::new(Some(source), None),
            true,
            limits,
            &mut Passed(sender),
        )
        .await;
        ended.map_err(|error| {
            of.note_refusal(password.as_ref(), &error);
            error.masking(script.secrets())
        })
    }
    .boxed();
    tokio::select! {
        // A command may be over as soon as it has started.
        ended = &mut serving => match ended {
            Ok(ended) => serving = ready(Ok(ended)).boxed(),
            Err(error) => {
                let is_asked = arguments.sudo == Some(true) && arguments.sudo_password.is_none();
                let wants = progress.may_want_password.load(Ordering::Relaxed)
                    && !sudo_words::rule_out_a_password(&error, arguments);
                return Err(Refused { error, may_want_password: is_asked && wants });
            }
        },
        _ = started.wait_for(|started| *started) => {}
    }
    Ok(Terminal { name: link.name().to_owned(), serving, input, output, window })
}

/// What is typed, once there is somebody who types.
enum Typed {
    Awaited(oneshot::Receiver<BoxRead>),
    There(BoxRead),
    Nobody,
}

impl AsyncRead for Typed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let typed = match &mut *self {
                Self::Awaited(reader) => std::task::ready!(reader.poll_unpin(context)),
                Self::There(reader) => return reader.as_mut().poll_read(context, buffer),
                Self::Nobody => return Poll::Ready(Ok(())),
            };
            *self = typed.map_or(Self::Nobody, Self::There);
        }
    }
}

/// Hands output over to whoever serves the terminal.
struct Passed(mpsc::Sender<Bytes>);

#[async_trait]
impl OutputSink for Passed {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let sent = self.0.send(Bytes::copy_from_slice(bytes)).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
