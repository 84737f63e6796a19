//! Host data of `@ssh`.

mod choice;
pub(crate) mod files;
mod jump;
mod options;
mod reading;

use std::path::PathBuf;
use std::time::Duration;

use hostlink_core::{FromValue, Secret, data_fields};

pub(crate) use self::choice::{FileProtocol, HostKeyPolicy};
pub(crate) use self::jump::is_none;
pub(crate) use self::reading::Reading;

data_fields! {
    /// How one host is reached.
    ///
    /// Texts contain no control character, and paths no `"` either, so that they can be written to
    /// a configuration of ssh. Paths are absolute and literal: a `%` or a backslash in one means
    /// itself. Values that ssh would read as an option are refused.
    // A field is guarded if it can run a command here, read files here other than keys for the
    // login, give the agent away, or accept another host's key.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Settings from Reading<'_>;

    /// Host name or address to connect to; the target's name if not given.
    HOSTNAME = "ssh_hostname", "text" => host: String, host();
    /// Port of the SSH server; if not given, that of ssh's configuration, or 22.
    PORT = "ssh_port", "number" => port: Option<u16>, port();
    /// User to log in as; if not given, that of ssh's configuration, or your user name.
    USER = "ssh_user", "text" => user: Option<String>, user();
    /// Password of the user on the target. A bastion never gets it.
    PASSWORD = "ssh_password", "text", secret: true => password: Option<Secret>, secret();
    /// Private key file to log in with, or a public one (KEY.pub) whose private half an agent has.
    KEY = "ssh_key", "path" => key: Option<PathBuf>, file(files::key);
    /// Passphrase of ssh_key.
    KEY_PASSWORD = "ssh_key_password", "text", secret: true => key_password: Option<Secret>, secret();
    /// Offer the keys of a running SSH agent.
    ALLOW_AGENT = "ssh_allow_agent", "true or false", default: "true"
        => allow_agent: bool, or_default();
    /// Offer the key files that ssh looks for by itself.
    LOOK_FOR_KEYS = "ssh_look_for_keys", "true or false", default: "true"
        => look_for_keys: bool, or_default();
    /// Let commands on the target use your SSH agent.
    FORWARD_AGENT = "ssh_forward_agent", "true or false", default: "false", guarded: true
        => forward_agent: bool, or_default();
    /// Configuration file of ssh to read instead of ~/.ssh/config.
    CONFIG_FILE = "ssh_config_file", "path", guarded: true
        => config_file: Option<PathBuf>, file_or_none(files::readable);
    /// File of known host keys instead of ~/.ssh/known_hosts, which need not exist yet; none keeps
    /// no keys.
    KNOWN_HOSTS_FILE = "ssh_known_hosts_file", "path", guarded: true
        => known_hosts_file: Option<PathBuf>, file_or_none(files::no_directory);
    /// Host keys: yes takes known ones only, accept-new those of new hosts too, no any; if not
    /// given, ssh's configuration holds first.
    STRICT_HOST_KEY_CHECKING = "ssh_strict_host_key_checking", HostKeyPolicy::EXPECTED,
        default: "accept-new", guarded: true => host_keys: Option<HostKeyPolicy>, host_keys();
    /// Time limit of one attempt to connect; if not given, that of every connector
    /// (--connect-timeout).
    CONNECT_TIMEOUT = "ssh_connect_timeout", "seconds"
        => connect_timeout: Option<Duration>, limit();
    /// How often a failed connection is tried again.
    CONNECT_RETRIES = "ssh_connect_retries", "number", default: "0"
        => connect_retries: u32, or_default();
    /// Shortest wait before the next attempt; each wait is chosen at random.
    CONNECT_RETRY_MIN_DELAY = "ssh_connect_retry_min_delay", "seconds", default: "0.1"
        => retry_min_delay: Option<Duration>, time();
    /// Longest wait before the next attempt.
    CONNECT_RETRY_MAX_DELAY = "ssh_connect_retry_max_delay", "seconds", default: "0.5"
        => retry_max_delay: Option<Duration>, time();
    /// How files move; auto is sftp, or stream (through a command) where the server has no sftp.
    FILE_TRANSFER_PROTOCOL = "ssh_file_transfer_protocol", FileProtocol::EXPECTED, default: "auto"
        => file_protocol: FileProtocol, or_default();
    /// Bastions to go through, in this order: [user@]host[:port] with commas, or none.
    PROXY_JUMP = "ssh_proxy_jump", "text" => proxy_jump: Option<String>, hops();
    /// Password of the users on the bastions of ssh_proxy_jump.
    PROXY_JUMP_PASSWORD = "ssh_proxy_jump_password", "text", secret: true
        => proxy_jump_password: Option<Secret>, secret();
    /// Command on this machine whose standard input and output are the connection, or none.
    PROXY_COMMAND = "ssh_proxy_command", "text", guarded: true
        => proxy_command: Option<String>, checked(options::proxy_command);
    /// Further settings of ssh, as in ssh_config(5).
    OPTIONS = "ssh_options", "list of Key=Value", guarded: true => options: Vec<String>, options();
    /// How soon a silent server counts as lost, 0 for never; if not given, ssh's configuration
    /// holds first.
    SERVER_ALIVE_INTERVAL = "ssh_server_alive_interval", "seconds", default: "15"
        => server_alive_interval: Option<u32>, whole_seconds();
    /// Socket of an ssh master that is logged in already, and is left running.
    CONTROL_PATH = "ssh_control_path", "path", guarded: true
        => control_path: Option<PathBuf>, file(|_| Ok(()));
    /// Certificate for the key, if it is not beside the key as KEY-cert.pub.
    CERTIFICATE = "ssh_certificate", "path"
        => certificate: Option<PathBuf>, file(files::certificate);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_distinct_and_passwords_secret() {
        let keys: BTreeSet<&str> = FIELDS.iter().map(|field| field.key).collect();
        assert_eq!(keys.len(), FIELDS.len());
        for field in FIELDS {
            assert!(field.key.starts_with("ssh_"), "{}", field.key);
            assert_eq!(field.secret, field.key.ends_with("password"), "{}", field.key);
            assert!(field.description.ends_with('.'), "{}", field.key);
        }
    }
}
