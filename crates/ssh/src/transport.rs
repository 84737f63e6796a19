//! What opens channels on a host: the part of the connector that another SSH implementation would
//! replace.

use std::fmt;
use std::os::fd::OwnedFd;

use async_trait::async_trait;
use futures::future::BoxFuture;
use hostlink_core::{
    Duplex, Endpoint, ExitStatus, Forward, Forwarding, Process, Result, TerminalSize,
};

use crate::slots::Channel;

/// What a channel runs on the host.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// A line for the user's login shell, whichever that is (sshd(8), "LOGIN PROCESS").
    Line(Vec<u8>),
    /// A subsystem by its name.
    Subsystem(&'static str),
}

/// A line whose output goes to a file. Dropping it closes its channel; a little more may still be
/// written.
pub(crate) struct Writing {
    /// The line's end, which its output may outlast.
    pub(crate) exit: BoxFuture<'static, Result<ExitStatus>>,
    /// Once it has ended: all of its output is written, as far as there was room. Whatever the line
    /// has started may hold that up.
    pub(crate) written: BoxFuture<'static, ()>,
}

/// A login on a host, on which channels are opened.
#[async_trait]
pub(crate) trait Transport: fmt::Debug + Send + Sync {
    /// Opens a channel and starts something on it. `channel` is dropped when the host has closed
    /// it, and learns of a refusal.
    ///
    /// # Errors
    ///
    /// Nothing was started: [`Busy`](hostlink_core::ErrorKind::Busy) where the host refused the
    /// channel, which may be for want of a free one, or where the login had ended before anything
    /// was asked; [`LinkLost`](hostlink_core::ErrorKind::LinkLost) where there is no login any
    /// more.
    async fn open(
        &self,
        request: &Request,
        terminal: Option<TerminalSize>,
        channel: Option<Channel>,
    ) -> Result<Process>;

    /// Starts a line of the user's login shell without input, whose standard output goes to
    /// `output`, a file of this machine, and whose standard error goes nowhere.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    async fn run_into(&self, line: Vec<u8>, output: OwnedFd, channel: Channel) -> Result<Writing>;

    /// Opens a byte stream to a socket as seen from the host. It needs no channel of the host's
    /// limit.
    async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>>;

    /// Forwards a port or a socket until the value is dropped, or the login ends.
    async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>>;

    /// Whether the login is there, as far as is known without asking the host.
    fn is_alive(&self) -> bool;

    /// Ends the login. It may be called twice.
    async fn close(&self);
}
