//! Keys that `@ssh` does not have.

use super::reading::Reading;
use crate::fields::FIELDS;

const PARAMIKO: &str = "ssh_paramiko_connect_kwargs";

/// Refuses every key that begins with `ssh_` and is none of the fields. Values are not shown: it may be a
/// misspelt password.
pub(super) fn check(reading: &mut Reading<'_>) {
    let data = reading.data();
    let of_ssh = data.iter().map(|(key, _)| key).filter(|key| key.starts_with("ssh_"));
    for key in of_ssh.filter(|key| data.get(key).is_some()) {
        if key == PARAMIKO {
            reading.fault(
                key,
                "hostlink uses OpenSSH, not paramiko: use ssh_options (Key=Value of ssh_config), \
                 ssh_connect_timeout, ssh_certificate, ssh_proxy_jump or ssh_proxy_command",
            );
        } else if !FIELDS.iter().any(|field| field.key == key) {
            reading.fault(key, problem(key));
        }
    }
}

fn problem(key: &str) -> String {
    let distances = FIELDS.iter().map(|field| (strsim::levenshtein(key, field.key), field.key));
    match distances.min() {
        Some((distance, nearest)) if distance <= 1 + key.len() / 4 => {
            format!("there is no such key (did you mean {nearest}?)")
        }
        _ => "there is no such key, and your own keys must not begin with ssh_".to_owned(),
    }
}
