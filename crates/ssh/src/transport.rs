//! Opens channels on a host: the part of the connector that another SSH implementation would
//! replace.

use std::fmt;
use std::os::fd::OwnedFd;

use async_trait::async_trait;
use futures::future::BoxFuture;
use hostlink_core::{
    Duplex, Endpoint, ExitStatus, Forward, Forwarding, Process, Result, TerminalSize,
};

use crate::slots::Channel;

/// The program of a channel.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// A line for any login shell (sshd(8), "LOGIN PROCESS").
    Line(Vec<u8>),
    /// A subsystem by its name.
    Subsystem(&'static str),
}

/// A line whose output goes to a file. Dropping it closes the channel; a little more may still be
/// written.
pub(crate) struct Writing {
    /// The end of the line. Output may still arrive after it.
    pub(crate) exit: BoxFuture<'static, Result<ExitStatus>>,
    /// Resolves, after the end, when all output is written that the disk has space for. A process
    /// that the line has started may delay it.
    pub(crate) written: BoxFuture<'static, ()>,
}

/// A login on a host, on which channels are opened.
#[async_trait]
pub(crate) trait Transport: fmt::Debug + Send + Sync {
    /// Opens a channel and starts a program. `channel` is dropped when the host has closed the
    /// channel, and notes a refusal.
    ///
    /// # Errors
    ///
    /// Nothing was started: [`Busy`](hostlink_core::ErrorKind::Busy) if the host refused the
    /// channel, perhaps since none is free, or the login had ended before the request;
    /// [`LinkLost`](hostlink_core::ErrorKind::LinkLost) if the login is lost.
    async fn open(
        &self,
        request: &Request,
        terminal: Option<TerminalSize>,
        channel: Option<Channel>,
    ) -> Result<Process>;

    /// Runs a line in the login shell without input. Standard output goes to `output`, a file of
    /// this machine, and standard error is dropped.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    async fn run_into(&self, line: Vec<u8>, output: OwnedFd, channel: Channel) -> Result<Writing>;

    /// Opens a byte stream to a socket as seen from the host. It does not count as a channel.
    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>>;

    /// Forwards a port or a socket until the value is dropped, or the login ends.
    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>>;

    /// Returns whether the login is alive, without asking the host.
    fn is_alive(&self) -> bool;

    /// Ends the login. It may be called twice.
    async fn close(&self);
}
