//! The meaning of several variables of Ansible together.

use hostlink_core::{ConnectorArguments, Data, FromValue, Value};

use super::arguments::{self, ARGUMENTS};
use super::ini::split;
use super::mapping::{is_template, template};
use crate::definition::HostDefinition;
use crate::unusable;

/// The prefix of all of Ansible's own variables.
pub(super) const PREFIX: &str = "ansible_";

/// The ends of the names of each method's variables, and of those of `become`.
const OF_METHODS: [&str; 4] = ["user", "pass", "exe", "flags"];

/// Other variables that only mean something together, whichever layers they are in.
const TOGETHER: &[&str] = &[
    CONNECTION,
    BECOME,
    METHOD,
    "ansible_become_password",
    HOST,
    USER,
    DOCKER,
    CHECKING[0],
    CHECKING[1],
    ARGUMENTS[0],
    ARGUMENTS[1],
    ARGUMENTS[2],
];
const HOST: &str = "ansible_host";
const USER: &str = "ansible_user";
const CONNECTION: &str = "ansible_connection";
const DOCKER: &str = "ansible_docker_extra_args";
const BECOME: &str = "ansible_become";
const METHOD: &str = "ansible_become_method";
const CHECKING: [&str; 2] = ["ansible_ssh_host_key_checking", "ansible_host_key_checking"];

/// Returns whether a variable only means something together with others.
pub(super) fn is_one_of_several(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(PREFIX) else { return false };
    let (method, what) = rest.split_once('_').unwrap_or_default();
    let is_of_method = is_method(method) || method == "become";
    TOGETHER.contains(&key) || (is_of_method && OF_METHODS.contains(&what))
}

/// Returns whether `ansible_become_method` may have this word: the name of a privilege tool.
fn is_method(word: &str) -> bool {
    ConnectorArguments::tool_names().any(|tool| tool == word)
}

/// Returns whether the place of a variable is worth keeping: what else it could be than a template
/// is never wrong.
pub(super) fn may_be_wrong(key: &str, value: &Value) -> bool {
    let is_any_text = || key == HOST || key.ends_with("_user") || key.contains("_pass");
    let is_unusable = || is_template(value) || unusable::problem(value).is_some();
    is_one_of_several(key) && (!is_any_text() || is_unusable())
}

/// A variable without a meaning here.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) problem: String,
}

pub(super) fn fault(key: impl Into<String>, problem: impl Into<String>) -> Fault {
    Fault { key: key.into(), problem: problem.into() }
}

/// Sets what the variables of a host, from all layers, mean together.
///
/// # Errors
///
/// Refuses what has no meaning here.
pub(super) fn together(all: &Data, host: &mut HostDefinition) -> Result<(), Fault> {
    connection(all, host)?;
    if truth(BECOME, all)? == Some(true) {
        privilege(all, host)?;
    }
    if host.target.is_some() {
        return Ok(());
    }
    arguments::read(all, &mut host.data)?;
    let [own, general] = CHECKING.map(|key| truth(key, all));
    match own?.or(general?) {
        Some(false) => host.data.insert("ssh_strict_host_key_checking", "no"),
        Some(true) => host.data.insert("ssh_strict_host_key_checking", "yes"),
        None => {}
    }
    Ok(())
}

/// The value of a variable that is asked for. A template is a fault, and so is a value that Ansible
/// Vault encrypted.
fn value<'a>(key: &str, all: &'a Data) -> Result<Option<&'a Value>, Fault> {
    let Some(value) = all.get(key) else { return Ok(None) };
    match unusable::problem(value) {
        Some(problem) => Err(fault(key, problem)),
        None if is_template(value) => Err(fault(key, template(key))),
        None => Ok(Some(value)),
    }
}

pub(super) fn text(key: &str, all: &Data) -> Result<Option<String>, Fault> {
    Ok(value(key, all)?.and_then(String::from_value))
}

/// The first of several variables that has a text.
fn first_text(keys: &[String], all: &Data) -> Result<Option<(String, String)>, Fault> {
    for key in keys {
        if let Some(text) = text(key, all)? {
            return Ok(Some((key.clone(), text)));
        }
    }
    Ok(None)
}

/// Returns the truth of a word that Ansible takes for yes or no (`convert_bool.py`); it refuses
/// others.
fn truth(key: &str, all: &Data) -> Result<Option<bool>, Fault> {
    let Some(value) = value(key, all)? else { return Ok(None) };
    let found = match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" => Some(false),
            _ => None,
        },
        Value::Int(1) => Some(true),
        Value::Int(0) => Some(false),
        Value::Float(number) if *number == 1.0 => Some(true),
        Value::Float(number) if *number == 0.0 => Some(false),
        _ => None,
    };
    let problem = || fault(key, format!("{key} is yes or no, and this is neither"));
    found.ok_or_else(problem).map(Some)
}

fn connection(all: &Data, host: &mut HostDefinition) -> Result<(), Fault> {
    let Some(connection) = text(CONNECTION, all)? else { return Ok(()) };
    let connector = match connection.rsplit('.').next().unwrap_or_default() {
        "ssh" | "smart" | "paramiko" | "paramiko_ssh" | "libssh" => return Ok(()),
        "local" => {
            host.target = Some("@local".into());
            return Ok(());
        }
        "docker" | "docker_api" => "docker",
        "podman" => "podman",
        "chroot" => "chroot",
        other => return Err(fault(CONNECTION, format!("{CONNECTION}={other} is not known here"))),
    };
    let there = text(HOST, all)?.unwrap_or_else(|| host.name.clone());
    host.target = Some(format!("@{connector}/{there}"));
    if connector == "docker"
        && let Some(arguments) = text(DOCKER, all)?
    {
        host.data.insert("docker_host", engine(&arguments)?);
    }
    if connector != "chroot"
        && let Some(user) = text(USER, all)?
    {
        host.data.insert("docker_user", user);
    }
    Ok(())
}

/// Returns where the engine listens, by the arguments of the docker command in front of its own:
/// `-H URL`, `--host=URL`.
fn engine(arguments: &str) -> Result<String, Fault> {
    let words = split(arguments).map_err(|problem| fault(DOCKER, problem))?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let url = match words[..] {
        ["-H" | "--host", url] => Some(url),
        [word] => word.strip_prefix("--host=").or_else(|| word.strip_prefix("-H")),
        _ => None,
    };
    let url = url.map(|url| url.trim_start_matches('=')).filter(|url| !url.is_empty());
    let problem = || format!("{DOCKER}: only -H URL has a meaning here");
    url.map(str::to_owned).ok_or_else(|| fault(DOCKER, problem()))
}

fn privilege(all: &Data, host: &mut HostDefinition) -> Result<(), Fault> {
    let method = text(METHOD, all)?.unwrap_or_else(|| "sudo".into());
    let method = method.rsplit('.').next().unwrap_or_default();
    // The method's own variables go before those of every method.
    let keys = |what: &str| [format!("ansible_{method}_{what}"), format!("ansible_become_{what}")];
    let user = first_text(&keys("user"), all)?.map(|(_, user)| user);
    if !is_method(method) {
        return Err(fault(METHOD, format!("{METHOD}={method} is not known here")));
    }
    let has_switch = ConnectorArguments::field(method).is_some();
    if has_switch {
        host.data.insert(format!("_{method}"), true);
    }
    // su is asked for by its user.
    if let Some(user) = user.or((!has_switch).then(|| "root".into())) {
        host.data.insert(format!("_{method}_user"), user);
    }
    let found = first_text(&keys("exe"), all)?;
    let is_usual = |program: &str| [method, &format!("/usr/bin/{method}")].contains(&program);
    if let Some((key, _)) = found.filter(|(_, program)| !is_usual(program)) {
        let problem = format!("{key}: another program than {method} has no meaning here");
        return Err(fault(key, problem));
    }
    let [own, general] = keys("pass");
    let passwords = [own, general, "ansible_become_password".to_owned()];
    if let Some((_, password)) = first_text(&passwords, all)? {
        host.data.insert(format!("_{method}_password"), password);
    }
    // The default of Ansible, and what is done here anyway.
    let (key, flags) = first_text(&keys("flags"), all)?.unwrap_or_default();
    for flag in flags.split_whitespace().filter(|flag| !["-H", "-S", "-n"].contains(flag)) {
        match (method, flag) {
            ("sudo", "-i") => host.data.insert("_use_sudo_login", true),
            ("sudo", "-E") => host.data.insert("_preserve_sudo_env", true),
            ("su", "-" | "-l") => host.data.insert("_use_su_login", true),
            _ => {
                return Err(fault(key, format!("the flag {flag} of {method} has no meaning here")));
            }
        }
    }
    Ok(())
}
