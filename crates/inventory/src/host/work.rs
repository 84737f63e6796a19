//! What a [`Link`](hostlink_core::Link) does, with the defaults of a host: its arguments, and a
//! connection that is opened when it is needed, and again after it was lost. Nothing is run again.

use std::path::PathBuf;

use hostlink_core::transfer::{GetOptions, PutOptions, Sink, Source, Transferred};
use hostlink_core::{
    CommandOutput, ConnectorArguments, Duplex, Endpoint, Forward, Forwarding, OutputSink, Result,
    RunOptions, StringCommand, Terminal, TerminalSize,
};

use crate::host::Host;

impl Host {
    /// Runs a command with this host's defaults.
    ///
    /// # Errors
    ///
    /// As [`Link::run_shell_command`](hostlink_core::Link::run_shell_command), and as
    /// [`connect`](Self::connect).
    pub async fn run_shell_command(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
    ) -> Result<CommandOutput> {
        self.run_shell_command_with(command, arguments, &RunOptions::default()).await
    }

    /// As [`run_shell_command`](Self::run_shell_command), with options for its output.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn run_shell_command_with(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        options: &RunOptions,
    ) -> Result<CommandOutput> {
        let arguments = self.with_defaults(arguments).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.run_shell_command_with(command, &arguments, options).await).await
    }

    /// As [`run_shell_command_with`](Self::run_shell_command_with), and passes output to `sink` as
    /// it arrives.
    ///
    /// # Errors
    ///
    /// As [`Link::run_streaming`](hostlink_core::Link::run_streaming), and as
    /// [`connect`](Self::connect).
    pub async fn run_streaming(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        options: &RunOptions,
        sink: &mut dyn OutputSink,
    ) -> Result<CommandOutput> {
        let arguments = self.with_defaults(arguments).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.run_streaming(command, &arguments, options, sink).await).await
    }

    /// Starts a command on a terminal, with this host's defaults.
    ///
    /// # Errors
    ///
    /// As [`Link::open_terminal`](hostlink_core::Link::open_terminal), and as
    /// [`connect`](Self::connect).
    pub async fn open_terminal(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
        size: TerminalSize,
    ) -> Result<Terminal> {
        let arguments = self.with_defaults(arguments).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.open_terminal(command, &arguments, size).await).await
    }

    /// Puts a file, with this host's defaults.
    ///
    /// # Errors
    ///
    /// As [`Link::put_file`](hostlink_core::Link::put_file), and as [`connect`](Self::connect).
    pub async fn put_file(
        &self,
        source: impl Into<Source>,
        path: &str,
        options: &PutOptions,
    ) -> Result<Transferred> {
        let options = self.put_options(options).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.put_file(source, path, &options).await).await
    }

    /// Puts a directory, with this host's defaults.
    ///
    /// # Errors
    ///
    /// As [`Link::put_dir`](hostlink_core::Link::put_dir), and as [`connect`](Self::connect).
    pub async fn put_dir(
        &self,
        source: impl Into<PathBuf>,
        path: &str,
        options: &PutOptions,
    ) -> Result<Transferred> {
        let options = self.put_options(options).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.put_dir(source, path, &options).await).await
    }

    /// Gets a file, with this host's defaults.
    ///
    /// # Errors
    ///
    /// As [`Link::get_file`](hostlink_core::Link::get_file), and as [`connect`](Self::connect).
    pub async fn get_file(
        &self,
        path: &str,
        sink: impl Into<Sink<'_>>,
        options: &GetOptions,
    ) -> Result<Transferred> {
        let options = self.get_options(options).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.get_file(path, sink, &options).await).await
    }

    /// Gets a directory, with this host's defaults.
    ///
    /// # Errors
    ///
    /// As [`Link::get_dir`](hostlink_core::Link::get_dir), and as [`connect`](Self::connect).
    pub async fn get_dir(
        &self,
        path: &str,
        destination: impl Into<PathBuf>,
        options: &GetOptions,
    ) -> Result<Transferred> {
        let options = self.get_options(options).await?;
        let (number, link) = self.opened("").await?;
        self.heed(number, link.get_dir(path, destination, &options).await).await
    }

    /// Opens a byte stream to a socket as seen from this host.
    ///
    /// # Errors
    ///
    /// As [`Link::dial`](hostlink_core::Link::dial), and as [`connect`](Self::connect).
    pub async fn dial(&self, to: &Endpoint) -> Result<Box<dyn Duplex>> {
        let (number, link) = self.opened("").await?;
        self.heed(number, link.dial(to).await).await
    }

    /// Forwards a port or a socket of this host until the value is dropped.
    ///
    /// # Errors
    ///
    /// As [`Link::forward`](hostlink_core::Link::forward), and as [`connect`](Self::connect).
    pub async fn forward(&self, forward: &Forward) -> Result<Box<dyn Forwarding>> {
        let (number, link) = self.opened("").await?;
        self.heed(number, link.forward(forward).await).await
    }

    async fn with_defaults(&self, arguments: &ConnectorArguments) -> Result<ConnectorArguments> {
        Ok(arguments.clone().or(&self.arguments().await?))
    }

    async fn put_options(&self, options: &PutOptions) -> Result<PutOptions> {
        let arguments = self.with_defaults(&options.arguments).await?;
        Ok(options.clone().with_arguments(arguments))
    }

    async fn get_options(&self, options: &GetOptions) -> Result<GetOptions> {
        let arguments = self.with_defaults(&options.arguments).await?;
        Ok(options.clone().with_arguments(arguments))
    }
}
