//! Keys that `@ssh` does not have.

use crate::fields::{FIELDS, Reading};

const PARAMIKO: &str = "ssh_paramiko_connect_kwargs";

/// Refuses unknown keys that start with `ssh_`.
pub(super) fn check(reading: &mut Reading<'_>) {
    if reading.data().get(PARAMIKO).is_some() {
        reading.fault(
            PARAMIKO,
            "hostlink uses OpenSSH, not paramiko: use ssh_options (Key=Value of ssh_config), \
             ssh_connect_timeout, ssh_certificate, ssh_proxy_jump or ssh_proxy_command",
        );
    }
    reading.refuse_unknown("ssh_", FIELDS);
}
