//! `ssh_options` and `ssh_proxy_command`.

use super::jump::is_none;

pub(super) const NO_ASK: &str = "ask is not possible, since hostlink's ssh cannot ask a user: use accept-new, or yes after \
     `ssh-keyscan HOST` or a first login by hand";

/// Checks one entry of `ssh_options`.
pub(super) fn check(entry: &str) -> Result<(), String> {
    if entry.trim().is_empty() {
        return Err("is empty: write Key=Value".to_owned());
    }
    if entry.chars().any(|c| c.is_control() && c != '\t') {
        return Err("contains a control character".to_owned());
    }
    let (keyword, value) = split(entry).ok_or("is not written Key=Value, without -o")?;
    if let Some(problem) = refused(keyword, value) {
        return Err(problem);
    }
    match value.is_empty() {
        true => Err(format!(
            "has no value: write {keyword}=Value, and give a list where values hold commas"
        )),
        false => Ok(()),
    }
}

/// Splits keyword and value as ssh does: at white space, which may contain a `=`.
fn split(entry: &str) -> Option<(&str, &str)> {
    let entry = entry.trim();
    let end = entry.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(entry.len());
    let (keyword, rest) = entry.split_at(end);
    if keyword.is_empty() || !(rest.is_empty() || rest.starts_with(['=', ' ', '\t'])) {
        return None;
    }
    let value = rest.trim_start();
    Some((keyword, value.strip_prefix('=').unwrap_or(value).trim()))
}

/// Returns why a user must not make a setting, if so.
fn refused(keyword: &str, value: &str) -> Option<String> {
    let reason = match keyword.to_ascii_lowercase().as_str() {
        "controlpath" | "controlmaster" | "controlpersist" => {
            "hostlink has a master of its own (to use yours, give ssh_control_path)"
        }
        "batchmode" => "hostlink answers ssh's questions itself",
        "remotecommand" | "sessiontype" | "requesttty" | "stdinnull" => {
            "hostlink says itself what runs on the connection"
        }
        "forkafterauthentication" => "hostlink keeps ssh in the foreground, to end it",
        "localforward" | "remoteforward" | "dynamicforward" => {
            "forwards are made by Link::forward, or `hostlink HOST forward`"
        }
        "forwardx11" | "forwardx11trusted" => "hostlink forwards no X11",
        "sendenv" | "setenv" => "commands get their variables from _env",
        "host" | "match" => "blocks belong into a file: ssh_config_file",
        "stricthostkeychecking" if is_ask(value.trim_matches('"')) => NO_ASK,
        _ => return None,
    };
    Some(format!("cannot be set: {reason}"))
}

/// Checks `ssh_proxy_command`, and normalizes `none`.
pub(super) fn proxy_command(text: &str) -> Result<String, String> {
    let command = text.trim();
    if command.is_empty() {
        return Err("is empty: write a command, or none".to_owned());
    }
    if command.chars().any(char::is_control) {
        return Err("contains a control character: write it on one line".to_owned());
    }
    Ok(if is_none(command) { "none".to_owned() } else { command.to_owned() })
}

/// ssh's value for asking the user to confirm a host key.
pub(super) fn is_ask(text: &str) -> bool {
    text.eq_ignore_ascii_case("ask")
}
