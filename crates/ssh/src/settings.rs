//! What a connection to one host needs to know.

use std::path::PathBuf;
use std::time::Duration;

use hostlink_core::Secret;

/// How one host is reached.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) key_password: Option<Secret>,
    pub(crate) allow_agent: bool,
    pub(crate) look_for_keys: bool,
    pub(crate) forward_agent: bool,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) known_hosts_file: Option<PathBuf>,
    pub(crate) host_keys: HostKeyPolicy,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) connect_retries: u32,
    pub(crate) retry_min_delay: Duration,
    pub(crate) retry_max_delay: Duration,
    pub(crate) file_protocol: FileProtocol,
    pub(crate) proxy_jump: Option<String>,
    pub(crate) proxy_jump_password: Option<Secret>,
    pub(crate) proxy_command: Option<String>,
    pub(crate) options: Vec<String>,
    pub(crate) server_alive_interval: u32,
    pub(crate) control_path: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
}

/// What is done about the keys of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostKeyPolicy {
    Yes,
    AcceptNew,
    No,
}

/// How files are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileProtocol {
    Auto,
    Sftp,
    Scp,
    Stream,
}
