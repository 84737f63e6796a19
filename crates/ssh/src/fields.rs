//! The host data that `@ssh` reads.

use hostlink_core::DataField;

/// One row per field: constant, key, type name, default as shown, whether it is secret, meaning.
macro_rules! fields {
    ($($name:ident: $key:literal, $type_name:literal, $default:literal, $secret:literal, $description:literal;)+) => {
        $(pub(crate) const $name: DataField = DataField {
            key: $key,
            description: $description,
            type_name: $type_name,
            default: $default,
            secret: $secret,
        };)+

        /// Every field, in the order of help texts.
        pub(crate) const FIELDS: &[DataField] = &[$($name),+];
    };
}

fields! {
    HOSTNAME: "ssh_hostname", "text", "", false,
        "Host name or address to connect to; the target's name if not given.";
    PORT: "ssh_port", "number", "", false,
        "Port of the SSH server; without it ssh's own configuration holds, then 22.";
    USER: "ssh_user", "text", "", false,
        "User to log in as; without it ssh's own configuration holds, then your user name.";
    PASSWORD: "ssh_password", "text", "", true,
        "Password of the user on the target. A bastion never gets it.";
    KEY: "ssh_key", "path", "", false,
        "Private key file to log in with.";
    KEY_PASSWORD: "ssh_key_password", "text", "", true,
        "Passphrase of ssh_key.";
    ALLOW_AGENT: "ssh_allow_agent", "true or false", "true", false,
        "Offer the keys of a running SSH agent.";
    LOOK_FOR_KEYS: "ssh_look_for_keys", "true or false", "true", false,
        "Offer the key files that ssh looks for by itself.";
    FORWARD_AGENT: "ssh_forward_agent", "true or false", "false", false,
        "Let commands on the target use your SSH agent.";
    CONFIG_FILE: "ssh_config_file", "path", "", false,
        "Configuration file of ssh to read in the place of ~/.ssh/config.";
    KNOWN_HOSTS_FILE: "ssh_known_hosts_file", "path", "", false,
        "File of known host keys in the place of ~/.ssh/known_hosts, which need not exist yet; none keeps no keys.";
    STRICT_HOST_KEY_CHECKING: "ssh_strict_host_key_checking", "yes, accept-new or no", "accept-new", false,
        "Host keys: yes takes known ones only, accept-new those of new hosts too, no any; if not given, ssh's configuration holds first.";
    CONNECT_TIMEOUT: "ssh_connect_timeout", "seconds", "10", false,
        "How long one attempt to connect may take.";
    CONNECT_RETRIES: "ssh_connect_retries", "number", "0", false,
        "How often a connection that could not be made is tried again.";
    CONNECT_RETRY_MIN_DELAY: "ssh_connect_retry_min_delay", "seconds", "0.1", false,
        "Shortest wait before the next attempt; each wait is chosen at random.";
    CONNECT_RETRY_MAX_DELAY: "ssh_connect_retry_max_delay", "seconds", "0.5", false,
        "Longest wait before the next attempt.";
    FILE_TRANSFER_PROTOCOL: "ssh_file_transfer_protocol", "auto, sftp, scp or stream", "auto", false,
        "How files move; auto is sftp, or stream (through a command) where the server has no sftp.";
    PROXY_JUMP: "ssh_proxy_jump", "text", "", false,
        "Bastions to go through, first one first: [user@]host[:port] with commas, or none.";
    PROXY_JUMP_PASSWORD: "ssh_proxy_jump_password", "text", "", true,
        "Password of the users on the bastions of ssh_proxy_jump.";
    PROXY_COMMAND: "ssh_proxy_command", "text", "", false,
        "Command on this machine whose standard input and output are the connection, or none.";
    OPTIONS: "ssh_options", "list of Key=Value", "", false,
        "Further settings of ssh, as in ssh_config(5).";
    SERVER_ALIVE_INTERVAL: "ssh_server_alive_interval", "seconds", "15", false,
        "How soon a silent server is given up, 0 for never; if not given, ssh's configuration holds first.";
    CONTROL_PATH: "ssh_control_path", "path", "", false,
        "Socket of an ssh master that is logged in already: it is used, and left running.";
    CERTIFICATE: "ssh_certificate", "path", "", false,
        "Certificate for the key, if it is not beside the key as KEY-cert.pub.";
}

/// What runs a command here, reads or uses files here other than keys to log in with, gives the
/// agent away, or takes a host for another.
pub(crate) const GUARDED: [&str; 7] = [
    PROXY_COMMAND.key,
    OPTIONS.key,
    CONFIG_FILE.key,
    KNOWN_HOSTS_FILE.key,
    CONTROL_PATH.key,
    FORWARD_AGENT.key,
    STRICT_HOST_KEY_CHECKING.key,
];

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
