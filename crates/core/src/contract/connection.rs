//! The contract that a connector implements to reach one target.

use std::any::Any;
use std::fmt;

use async_trait::async_trait;

use crate::contract::files::{FileProgram, FileTransfer};
use crate::contract::forward::Sockets;
use crate::contract::process::{Process, TerminalSize};
use crate::shell::script::{MAX_ARGUMENT, Script};
use crate::values::error::Result;

/// A live link to one target, as a connector implements it. Users hold a [`Link`](crate::Link),
/// which has everything else: quoting, privilege, time-outs, output, files.
///
/// Everything takes `&self`: many scripts run at the same time on one connection.
#[async_trait]
pub trait Connection: fmt::Debug + Send + Sync + 'static {
    /// Waits until [`spawn`](Self::spawn) may start a script, for a target that limits how many run
    /// at the same time. The slot is free again when it is dropped. An urgent script (a kill, a
    /// clean-up) must not wait for the commands that it has to end. Default: no limit.
    ///
    /// # Errors
    ///
    /// The link is lost and cannot be opened again.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been started, so the caller may drop this at any time.
    async fn slot(&self, _options: &SpawnOptions) -> Result<Slot> {
        Ok(Slot::default())
    }

    /// Starts `sh -c` with [`Script::argument`] on the target, with pipes or a terminal, and
    /// returns its streams.
    ///
    /// The `sh` leads a process group of its own, in which nothing else runs. Its environment is
    /// the one that the target gives a new login or process; its working directory too. This must
    /// not wait for the script to end, nor for it to write anything.
    ///
    /// Core never drops this future. If the caller cancels, core lets the spawn finish and then
    /// kills the process. So it must not wait for long: waiting belongs in [`slot`](Self::slot).
    ///
    /// # Errors
    ///
    /// The script was provably not started. [`ErrorKind::Busy`](crate::ErrorKind::Busy) if the
    /// caller should try again soon. Once the script may have started, failures are reported by
    /// [`Process::exit`].
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process>;

    /// Returns what the connection can do. A wrapper starts from its outer connection's features.
    /// Default: [`Features::default`].
    fn features(&self) -> Features {
        Features::default()
    }

    /// Returns whether this [`Script::argument`] is short enough to be started. A longer script is
    /// sent over standard input, and is refused on a terminal. Default: up to
    /// [`MAX_ARGUMENT`](crate::MAX_ARGUMENT) bytes.
    fn fits(&self, script: &[u8], _options: &SpawnOptions) -> bool {
        script.len() <= MAX_ARGUMENT
    }

    /// Makes a round trip to the target. When it returns, everything that the target sent before
    /// has arrived. It waits as long as the link stalls. Default: nothing is ever under way.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LinkLost`](crate::ErrorKind::LinkLost): the link is gone.
    async fn probe(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the connection's access to sockets as the target sees them, if it has any.
    fn sockets(&self) -> Option<&dyn Sockets> {
        None
    }

    /// Returns the connection's own file transfer, if it has one that is faster than a command.
    ///
    /// Used for files of the connecting user only; files of other users always go through a
    /// command.
    fn file_transfer(&self) -> Option<&dyn FileTransfer> {
        None
    }

    /// Closes the connection. It may be called twice, and is `Ok` on a dead link. `outcome` says
    /// how everything went that ran on it, for a connector that keeps only what succeeded.
    ///
    /// # Errors
    ///
    /// Files or processes of hostlink's may be left on the target.
    async fn disconnect(&self, outcome: Outcome) -> Result<()>;
}

/// The outcome of everything that ran on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// All commands and transfers were successful.
    #[default]
    Success,
    /// A command was not successful, or a command or transfer failed or was dropped.
    Failure,
}

/// The abilities of a connection, and facts about its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// A process can have a terminal in addition to its pipes. Default: false.
    pub terminal_beside_pipes: bool,
    /// The `sh` of a script is certain to lead its process group, and
    /// [`ProcessControl::kill`](crate::ProcessControl::kill) ends that group. The script then does
    /// not look its group up, which costs 0.2 ms. Default: false.
    pub leads_process_groups: bool,
    /// The target is this machine, as this process sees it: its environment holds there as well.
    /// Default: false.
    pub is_this_machine: bool,
    /// The most input, in bytes, that a command on a terminal may have. `Some` if the far end of
    /// the terminal passes no output on while its input buffer is full: it and the command could
    /// wait for each other forever. Default: no limit.
    pub max_terminal_input: Option<u64>,
    /// A command that ends while input is sent to it can lose its output. The content of files is
    /// then sent once the target has said that it takes it, which costs a round trip. Default:
    /// false.
    pub input_waits: bool,
    /// The program that moves the bytes of files on the target where [`Connection::file_transfer`]
    /// does not. Default: `cat`.
    pub file_program: FileProgram,
}

/// Permission to run one script on a connection. Dropping it releases it.
#[derive(Default)]
pub struct Slot(#[expect(dead_code, reason = "it is only dropped")] Option<Box<dyn Any + Send>>);

impl Slot {
    /// Returns a slot that holds `permit` until it is dropped.
    pub fn holding(permit: impl Any + Send) -> Self {
        Self(Some(Box::new(permit)))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// Options for starting a script.
#[derive(Clone, Debug, Default)]
pub struct SpawnOptions {
    /// On a pseudo-terminal of this size, which is then the script's controlling terminal.
    pub terminal: Option<TerminalSize>,
    /// A kill or a clean-up: it must not wait for the commands that it is to end.
    pub urgent: bool,
    /// The script starts a tool that needs a terminal: in addition to its pipes it gets one as its
    /// controlling terminal, whose other end is [`Process::terminal`]. Only for connections that
    /// [can do it](Features::terminal_beside_pipes).
    pub asked_on_terminal: bool,
    /// The script changes to an absolute directory first, so it may start in any other one.
    pub starts_anywhere: bool,
}
