//! Settings that contradict each other.

use hostlink_core::DataField;

use crate::fields::{self, Reading, Settings, files, is_none};

/// The keys that only a login reads. A master of the user's is logged in already.
const OF_LOGIN: [DataField; 8] = [
    fields::PASSWORD,
    fields::KEY,
    fields::KEY_PASSWORD,
    fields::CERTIFICATE,
    fields::PROXY_JUMP,
    fields::PROXY_JUMP_PASSWORD,
    fields::PROXY_COMMAND,
    fields::OPTIONS,
];

/// Adds a fault for each contradiction. Looks for keys in the data, since an invalid value has a
/// fault of its own and is missing in `settings`.
pub(super) fn check(reading: &mut Reading<'_>, settings: &Settings) {
    let data = reading.data();
    let given = |field: &DataField| data.get(field.key).is_some();
    let is_switched_off = |text: &Option<String>| text.as_deref().is_some_and(is_none);

    let jump = given(&fields::PROXY_JUMP) && !is_switched_off(&settings.proxy_jump);
    let command = given(&fields::PROXY_COMMAND) && !is_switched_off(&settings.proxy_command);
    if jump && command {
        let problem = "cannot be combined with ssh_proxy_command";
        reading.fault(fields::PROXY_JUMP.key, problem);
    }
    if given(&fields::PROXY_JUMP_PASSWORD) && !jump {
        let problem = "has no effect without a host in ssh_proxy_jump";
        reading.fault(fields::PROXY_JUMP_PASSWORD.key, problem);
    }
    if given(&fields::KEY_PASSWORD) && !given(&fields::KEY) {
        let problem = "has no effect without ssh_key";
        reading.fault(fields::KEY_PASSWORD.key, problem);
    }
    let may_ask_agent = settings.allow_agent || settings.forward_agent;
    if let Some(key) =
        settings.key.as_ref().filter(|key| !may_ask_agent && files::is_public_key(key))
    {
        let where_else = files::private_half(key);
        let problem = format!(
            "{key:?} is a public key, and no agent may be asked for its private half (ssh_allow_agent): {where_else}"
        );
        reading.fault(fields::KEY.key, problem);
    }
    let of_login: Vec<&str> =
        OF_LOGIN.iter().filter(|field| given(field)).map(|field| field.key).collect();
    if given(&fields::CONTROL_PATH) && !of_login.is_empty() {
        let problem = format!(
            "its master is logged in already: leave out {}, or ssh_control_path",
            of_login.join(", ")
        );
        reading.fault(fields::CONTROL_PATH.key, problem);
    }
    let (least, most) = settings.retry_delays();
    if least > most {
        let problem = format!(
            "{} s is more than {}, {} s",
            least.as_secs_f64(),
            fields::CONNECT_RETRY_MAX_DELAY.key,
            most.as_secs_f64()
        );
        reading.fault(fields::CONNECT_RETRY_MIN_DELAY.key, problem);
    }
}
