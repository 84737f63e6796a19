//! Commands on a terminal that a user types at.
//!
//! # How a session runs
//!
//! `Link::open_terminal` → `Start::begin` → `Begun::finish`, as for a command. It returns when the
//! innermost shell has announced itself, so that the user's terminal becomes raw only then. The
//! command line's half is in `crates/cli`: `shell` (who types, and what for), `escapes` (`~.`),
//! `tty` (modes; the modes from before the first change are kept in one place, and restored at the
//! end of the program), `prompt` (questions).

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use tokio::io::AsyncRead;

use crate::contract::connection::SpawnOptions;
use crate::contract::process::{ProcessControl, TerminalSize};
use crate::running::begun::Begun;
use crate::running::feed::Input;
use crate::running::shared::Shared;
use crate::running::start::Start;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::error::Result;
use crate::values::io::OutputSink;
use crate::values::status::ExitStatus;

/// Time for which the terminal is read after the command's end while another process still holds
/// it. The user waits for it.
const SILENCE: Duration = Duration::from_millis(500);

/// A command that runs on a terminal of its own on the target, from
/// [`Link::open_terminal`](crate::Link::open_terminal).
///
/// Dropping it kills the command and all that it started.
#[must_use = "dropping it kills the command"]
pub struct Terminal {
    name: String,
    begun: Begun,
}

impl Terminal {
    /// Returns a handle that changes its size, also while it is served.
    pub fn window(&self) -> Window {
        Window(self.begun.control())
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
        let Self { name, mut begun } = self;
        begun.feed(Input { source: Some(Box::pin(input)), ..Input::default() });
        let ended = begun.finish(output).await;
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
pub struct Window(Option<Weak<dyn ProcessControl>>);

impl Window {
    /// Sets the size of the terminal; its processes get SIGWINCH. Once the command has ended, it
    /// does nothing.
    ///
    /// # Errors
    ///
    /// The link broke.
    pub async fn resize(&self, size: TerminalSize) -> Result<()> {
        match self.0.as_ref().and_then(Weak::upgrade) {
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
    let options = SpawnOptions { terminal: Some(size), ..SpawnOptions::default() };
    let mut start = Start::new(link, command, arguments, options);
    start.limits.silence = SILENCE;
    start.whole_session = true;
    start.ask_for_password().await?;
    let begun = start.begin(&mut None).await?;
    Ok(Terminal { name: link.name().to_owned(), begun })
}
