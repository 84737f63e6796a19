//! What host data says about one host, checked before anything connects.

mod choice;
mod files;
mod jump;
mod options;
mod reading;
mod rules;
#[cfg(test)]
mod tests;
mod unknown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostlink_core::{Context, Result, Secret, Target};

use self::choice::Port;
pub(crate) use self::choice::{FileProtocol, HostKeyPolicy};
use self::reading::Reading;
use crate::fields;

/// How one host is reached.
///
/// Texts hold no control character and paths no `"` either, so that they can stand in a
/// configuration of ssh. Paths are absolute and literal: a `%` or a backslash in one means itself.
/// What ssh would take for an option is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Name or address; IPv6 without brackets.
    pub(crate) host: String,
    /// The port, if it is not for ssh's configuration to say.
    pub(crate) port: Option<u16>,
    /// The user, if it is not for ssh's configuration to say.
    pub(crate) user: Option<String>,
    /// The password on the target, and only there.
    pub(crate) password: Option<Secret>,
    /// A private key, or what looked like one when it was read.
    pub(crate) key: Option<PathBuf>,
    /// The passphrase of `key`.
    pub(crate) key_password: Option<Secret>,
    /// Whether an agent may offer its keys.
    pub(crate) allow_agent: bool,
    /// Whether ssh may offer the key files that it finds by itself.
    pub(crate) look_for_keys: bool,
    /// Whether the target may use the agent.
    pub(crate) forward_agent: bool,
    /// The user's configuration in the place of `~/.ssh/config`; `none`: no configuration at all.
    pub(crate) config_file: Option<PathBuf>,
    /// Where host keys are looked up and added; `none`: nowhere.
    pub(crate) known_hosts_file: Option<PathBuf>,
    /// What happens to the keys of unknown hosts, if it is not for ssh's configuration to say.
    pub(crate) host_keys: Option<HostKeyPolicy>,
    /// The limit of one attempt, in which a host may turn us away for its number of logins, and be
    /// asked again; the context's if not given. More than zero.
    pub(crate) connect_timeout: Option<Duration>,
    /// Further attempts after the first.
    pub(crate) connect_retries: u32,
    /// The shortest wait between two attempts.
    pub(crate) retry_min_delay: Duration,
    /// The longest wait, not less than the shortest.
    pub(crate) retry_max_delay: Duration,
    /// How files move.
    pub(crate) file_protocol: FileProtocol,
    /// Hops with commas, each `[user@]host[:port]`, nearest first; or `none`.
    pub(crate) proxy_jump: Option<String>,
    /// The password on the hops of `proxy_jump`.
    pub(crate) proxy_jump_password: Option<Secret>,
    /// A command that is the connection; or `none`.
    pub(crate) proxy_command: Option<String>,
    /// Each `Key=Value` or `Key Value`.
    pub(crate) options: Vec<String>,
    /// Seconds, if it is not for ssh's configuration to say; 0: never ask.
    pub(crate) server_alive_interval: Option<u32>,
    /// The socket of a master that the user has.
    pub(crate) control_path: Option<PathBuf>,
    /// The certificate of the key.
    pub(crate) certificate: Option<PathBuf>,
}

/// pyinfra's.
const RETRY_MIN_DELAY: Duration = Duration::from_millis(100);
const RETRY_MAX_DELAY: Duration = Duration::from_millis(500);

impl Settings {
    /// Reads a target's data. `home` stands for `~`; the files that are named are looked at.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with everything that is wrong.
    pub(crate) fn parse(target: &Target, home: Option<&Path>) -> Result<Self> {
        let mut reading = Reading::new(target, home);
        unknown::check(&mut reading);
        let settings = Self::read(&mut reading);
        rules::check(&mut reading, &settings);
        reading.finish()?;
        Ok(settings)
    }

    /// The limit of one attempt to connect.
    pub(crate) fn connect_limit(&self, context: &Context) -> Duration {
        self.connect_timeout.unwrap_or(context.connect_timeout)
    }

    /// What could be read; the rest is among the faults.
    fn read(reading: &mut Reading<'_>) -> Self {
        let (retry_min_delay, retry_max_delay) = retry_delays(reading);
        Self {
            host: reading.host(),
            port: reading.get::<Port>(&fields::PORT).map(|port| port.0),
            user: reading.user(),
            password: reading.secret(&fields::PASSWORD),
            key: reading.file(&fields::KEY, files::private_key),
            key_password: reading.secret(&fields::KEY_PASSWORD),
            allow_agent: reading.get(&fields::ALLOW_AGENT).unwrap_or(true),
            look_for_keys: reading.get(&fields::LOOK_FOR_KEYS).unwrap_or(true),
            forward_agent: reading.get(&fields::FORWARD_AGENT).unwrap_or(false),
            config_file: reading.file_or_none(&fields::CONFIG_FILE, files::readable),
            known_hosts_file: reading.file_or_none(&fields::KNOWN_HOSTS_FILE, files::no_directory),
            host_keys: reading.host_keys(),
            connect_timeout: reading.connect_timeout(),
            connect_retries: reading.get(&fields::CONNECT_RETRIES).unwrap_or(0),
            retry_min_delay,
            retry_max_delay,
            file_protocol: reading
                .get(&fields::FILE_TRANSFER_PROTOCOL)
                .unwrap_or(FileProtocol::Auto),
            proxy_jump: reading.checked(&fields::PROXY_JUMP, jump::parse),
            proxy_jump_password: reading.secret(&fields::PROXY_JUMP_PASSWORD),
            proxy_command: reading.checked(&fields::PROXY_COMMAND, options::proxy_command),
            options: reading.options(),
            server_alive_interval: reading.whole_seconds(&fields::SERVER_ALIVE_INTERVAL),
            control_path: reading.file(&fields::CONTROL_PATH, |_| Ok(())),
            certificate: reading.file(&fields::CERTIFICATE, files::certificate),
        }
    }
}

/// The two limits. Where one alone is given, the default of the other makes way for it.
fn retry_delays(reading: &mut Reading<'_>) -> (Duration, Duration) {
    let min = reading.limited(&fields::CONNECT_RETRY_MIN_DELAY);
    let max = reading.limited(&fields::CONNECT_RETRY_MAX_DELAY);
    match (min, max) {
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, RETRY_MAX_DELAY.max(min)),
        (None, Some(max)) => (RETRY_MIN_DELAY.min(max), max),
        (None, None) => (RETRY_MIN_DELAY, RETRY_MAX_DELAY),
    }
}
