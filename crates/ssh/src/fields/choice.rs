//! Values of a fixed set.

use hostlink_core::{FromValue, Value};

/// Which keys of hosts are accepted (`ssh_strict_host_key_checking`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostKeyPolicy {
    /// Known keys.
    Yes,
    /// Known keys, and keys of new hosts, which are stored.
    AcceptNew,
    /// All keys.
    No,
}

impl FromValue for HostKeyPolicy {
    const EXPECTED: &'static str = "yes, accept-new or no";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            // YAML's yes and no.
            Value::Bool(true) => Some(Self::Yes),
            Value::Bool(false) => Some(Self::No),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" => Some(Self::Yes),
                "accept-new" => Some(Self::AcceptNew),
                "no" | "off" | "false" => Some(Self::No),
                _ => None,
            },
            _ => None,
        }
    }
}

/// How files move (`ssh_file_transfer_protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileProtocol {
    /// SFTP, or a command if the server has no SFTP.
    Auto,
    /// SFTP only.
    Sftp,
    /// The old `scp -t` and `scp -f`.
    Scp,
    /// Through a command.
    Stream,
}

impl FromValue for FileProtocol {
    const EXPECTED: &'static str = "auto, sftp, scp or stream";

    fn from_value(value: &Value) -> Option<Self> {
        let Value::String(text) = value else { return None };
        match text.to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "sftp" => Some(Self::Sftp),
            "scp" => Some(Self::Scp),
            "stream" => Some(Self::Stream),
            _ => None,
        }
    }
}

/// A port of TCP.
pub(super) struct Port(pub(super) u16);

impl FromValue for Port {
    const EXPECTED: &'static str = "a port from 1 to 65535";

    fn from_value(value: &Value) -> Option<Self> {
        let number = u32::from_value(value)?;
        number.try_into().ok().filter(|port| *port > 0).map(Self)
    }
}
