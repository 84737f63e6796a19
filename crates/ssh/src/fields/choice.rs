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
        value.choice(&[
            ("yes", Self::Yes),
            ("true", Self::Yes),
            ("accept-new", Self::AcceptNew),
            ("no", Self::No),
            ("off", Self::No),
            ("false", Self::No),
        ])
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
        value.choice(&[
            ("auto", Self::Auto),
            ("sftp", Self::Sftp),
            ("scp", Self::Scp),
            ("stream", Self::Stream),
        ])
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
