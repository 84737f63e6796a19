//! The arguments of commands: the command line's, over those of host data, over passwords of the
//! environment.

use hostlink::inventory::Host;
use hostlink::run::make_unix_command;
use hostlink::{ConnectorArguments, Result, StringCommand};

use crate::explain::usage;
use crate::levels::Levels;
use crate::{flags, grammar, passwords};

/// What the command line and the environment say of commands.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Those of the command line.
    pub(crate) flags: ConnectorArguments,
    /// The passwords of the environment.
    environment: ConnectorArguments,
    /// Whether one answer is sudo's password for all targets.
    pub(crate) same_sudo_password: bool,
}

impl Arguments {
    pub(crate) fn read(levels: &Levels<'_>) -> Result<Self> {
        Ok(Self {
            flags: passwords::from_files(levels)?.or(&flags::read(levels)?),
            environment: passwords::from_environment()?,
            same_sudo_password: levels.flag(grammar::SAME_SUDO_PASSWORD),
        })
    }

    /// Returns whether the command line asks for a question about sudo's password.
    pub(crate) fn ask(&self) -> bool {
        self.same_sudo_password || self.flags.use_sudo_password == Some(true)
    }

    /// Returns the arguments of a host's commands.
    pub(crate) async fn of(&self, host: &Host) -> Result<ConnectorArguments> {
        let said = self.flags.clone().or(&host.arguments().await?);
        let mut environment = self.environment.clone();
        if said.use_sudo_password == Some(true) {
            environment.sudo_password = None;
        }
        Ok(said.or_passwords(&environment))
    }

    /// As [`of`](Self::of), and refuses arguments that do not fit each other, or the command.
    pub(crate) async fn checked(
        &self,
        host: &Host,
        command: &StringCommand,
    ) -> Result<ConnectorArguments> {
        let arguments = self.of(host).await?;
        self.check(&arguments, command).map_err(|error| error.with_target(host.name()))?;
        Ok(arguments)
    }

    fn check(&self, arguments: &ConnectorArguments, command: &StringCommand) -> Result<()> {
        if self.flags.sudo_password.is_some() && arguments.sudo.is_none() {
            return Err(usage("--sudo-password-file: has no effect without --sudo"));
        }
        if self.same_sudo_password && arguments.sudo.is_none() {
            return Err(usage("--same-sudo-password: has no effect without --sudo"));
        }
        // Faults of the command line are reported by the names of its flags.
        make_unix_command(command, &self.flags.clone().or(&arguments.tools_only()))
            .map_err(flags::with_flag_names)?;
        make_unix_command(command, arguments)?;
        Ok(())
    }
}
