//! What Ansible's variables mean here.

use std::sync::Arc;

use hostlink_core::{Data, FromValue, Result, Value};
use indexmap::IndexMap;

use super::raw::{Raw, RawHost};
use crate::definition::{Definition, GroupDefinition, HostDefinition};
use crate::groups::{GroupId, Groups};
use crate::place::{Faults, Place, Position};

/// Variables that have one key here, which means the same.
const SAME: &[(&str, &str)] = &[
    ("ansible_host", "ssh_hostname"),
    ("ansible_ssh_host", "ssh_hostname"),
    ("ansible_port", "ssh_port"),
    ("ansible_ssh_port", "ssh_port"),
    ("ansible_user", "ssh_user"),
    ("ansible_ssh_user", "ssh_user"),
    ("ansible_password", "ssh_password"),
    ("ansible_ssh_pass", "ssh_password"),
    ("ansible_ssh_password", "ssh_password"),
    ("ansible_private_key_file", "ssh_key"),
    ("ansible_ssh_private_key_file", "ssh_key"),
    ("ansible_ssh_private_key_passphrase", "ssh_key_password"),
    ("ansible_shell_executable", "_shell_executable"),
];

/// Variables that only mean something together, whichever layers they stand in.
const TOGETHER: &[&str] = &[
    CONNECTION,
    BECOME,
    METHOD,
    BECOME_USER,
    BECOME_PASSWORD,
    BECOME_PASS,
    FLAGS,
    HOST,
    USER,
    CHECKING,
    COMMON_ARGS,
    EXTRA_ARGS,
];
const HOST: &str = "ansible_host";
const USER: &str = "ansible_user";
const CONNECTION: &str = "ansible_connection";
const BECOME: &str = "ansible_become";
const METHOD: &str = "ansible_become_method";
const BECOME_USER: &str = "ansible_become_user";
const BECOME_PASSWORD: &str = "ansible_become_password";
const BECOME_PASS: &str = "ansible_become_pass";
const FLAGS: &str = "ansible_become_flags";
const CHECKING: &str = "ansible_ssh_host_key_checking";
const COMMON_ARGS: &str = "ansible_ssh_common_args";
const EXTRA_ARGS: &str = "ansible_ssh_extra_args";

/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with everything that has no meaning here.
pub(super) fn definition(raw: Raw, source: &Arc<str>) -> Result<Definition> {
    let mut faults = Faults::new(source);
    let mut groups = Groups::default();
    let mut of_hosts: IndexMap<&str, Vec<GroupId>> = IndexMap::new();
    for (name, group) in &raw.groups {
        let id = groups.define(name);
        groups.add_data(id, &group.data);
        for child in &group.children {
            groups.add_child(id, &child.name, Place::new(source, child.at));
        }
        for host in &group.hosts {
            of_hosts.entry(host).or_default().push(id);
        }
    }
    groups.connect(true)?;
    let has_any = |data: &Data| TOGETHER.iter().any(|key| data.get(key).is_some());
    let of_groups = has_any(&raw.all) || raw.groups.values().any(|group| has_any(&group.data));
    let mut definition = Definition::default();
    for (name, RawHost { data, at }) in &raw.hosts {
        let mut host = HostDefinition { at: *at, ..HostDefinition::new(name) };
        host.data = mapped(data, *at, &mut faults);
        if of_groups || has_any(data) {
            let own = of_hosts.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            let mut merged = raw.all.clone();
            for group in groups.with_parents(own) {
                merged.merge(groups.data(group));
            }
            merged.merge(data);
            together(&merged, &mut host, &mut faults);
        }
        definition.hosts.push(host);
    }
    definition.data = mapped(&raw.all, Position::default(), &mut faults);
    for (name, group) in raw.groups {
        let data = mapped(&group.data, group.at, &mut faults);
        let hosts = group.hosts.into_iter().map(HostDefinition::new).collect();
        let group = GroupDefinition { hosts, children: group.children, data, at: group.at };
        definition.groups.insert(name, group);
    }
    faults.finish()?;
    Ok(definition)
}

/// The data of one layer, with the keys that are used here.
fn mapped(data: &Data, at: Position, faults: &mut Faults) -> Data {
    let mut mapped = Data::new();
    for (key, value) in data.iter() {
        match SAME.iter().find(|(theirs, _)| *theirs == key) {
            Some(_) if is_template(value) => faults.add(at, template(key)),
            Some((_, ours)) => mapped.insert(*ours, value.clone()),
            None if TOGETHER.contains(&key) => {}
            None => mapped.insert(key, value.clone()),
        }
    }
    mapped
}

fn is_template(value: &Value) -> bool {
    matches!(value, Value::String(text) if text.contains("{{"))
}

fn template(key: &str) -> String {
    format!("{key} is a template, and templates are not evaluated here: write what comes of it")
}

/// What several variables of a host mean together.
fn together(all: &Data, host: &mut HostDefinition, faults: &mut Faults) {
    let at = host.at;
    if let Some(key) = TOGETHER.iter().find(|key| all.get(key).is_some_and(is_template)) {
        faults.add(at, template(key));
        return;
    }
    let text = |key: &str| all.get(key).and_then(String::from_value);
    let outcome = connection(all, host).and_then(|()| {
        if all.get(BECOME).and_then(truth) == Some(true) {
            privilege(all, host)?;
        }
        for key in [COMMON_ARGS, EXTRA_ARGS] {
            if let Some(arguments) = text(key) {
                ssh_arguments(key, &arguments, &mut host.data)?;
            }
        }
        match all.get(CHECKING).and_then(truth) {
            Some(false) => host.data.insert("ssh_strict_host_key_checking", "no"),
            Some(true) => host.data.insert("ssh_strict_host_key_checking", "yes"),
            None => {}
        }
        Ok(())
    });
    if let Err(problem) = outcome {
        faults.add(at, format_args!("{}: {problem}", host.name));
    }
}

/// YAML 1.1's words for it, which Ansible takes.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" => Some(true),
            "no" | "false" | "off" | "0" => Some(false),
            _ => None,
        },
        Value::Int(number) => Some(*number != 0),
        other => bool::from_value(other),
    }
}

fn connection(all: &Data, host: &mut HostDefinition) -> Result<(), String> {
    let text = |key: &str| all.get(key).and_then(String::from_value);
    let Some(connection) = text(CONNECTION) else { return Ok(()) };
    let there = text(HOST).unwrap_or_else(|| host.name.clone());
    let connector = match connection.rsplit('.').next().unwrap_or_default() {
        "ssh" | "smart" | "paramiko" | "paramiko_ssh" | "libssh" => return Ok(()),
        "local" => {
            host.target = Some("@local".into());
            return Ok(());
        }
        "docker" | "docker_api" => "docker",
        "podman" => "podman",
        "chroot" => "chroot",
        other => return Err(format!("{CONNECTION}={other} is not known here")),
    };
    host.target = Some(format!("@{connector}/{there}"));
    if let Some(user) = text(USER).filter(|_| connector != "chroot") {
        host.data.insert("docker_user", user);
    }
    Ok(())
}

fn privilege(all: &Data, host: &mut HostDefinition) -> Result<(), String> {
    let text = |key: &str| all.get(key).and_then(String::from_value);
    let method = text(METHOD).unwrap_or_else(|| "sudo".into());
    let method = method.rsplit('.').next().unwrap_or_default();
    let user = text(BECOME_USER);
    match method {
        "sudo" | "doas" | "dzdo" => {
            host.data.insert(format!("_{method}"), true);
            if let Some(user) = user {
                host.data.insert(format!("_{method}_user"), user);
            }
        }
        "su" => host.data.insert("_su_user", user.unwrap_or_else(|| "root".into())),
        other => return Err(format!("{METHOD}={other} is not known here")),
    }
    if let Some(password) = text(BECOME_PASSWORD).or_else(|| text(BECOME_PASS)) {
        host.data.insert(format!("_{method}_password"), password);
    }
    // The default of Ansible, and what is done here anyway.
    let flags = text(FLAGS).unwrap_or_default();
    for flag in flags.split_whitespace().filter(|flag| !["-H", "-S", "-n"].contains(flag)) {
        match (method, flag) {
            ("sudo", "-i") => host.data.insert("_use_sudo_login", true),
            ("sudo", "-E") => host.data.insert("_preserve_sudo_env", true),
            ("su", "-" | "-l") => host.data.insert("_use_su_login", true),
            _ => return Err(format!("{FLAGS}: {flag} has no meaning here")),
        }
    }
    Ok(())
}

/// `-o Key=Value` and `-J HOST`; the rest of what ssh knows would be for its command line alone.
fn ssh_arguments(key: &str, arguments: &str, data: &mut Data) -> Result<(), String> {
    let mut options = match data.get("ssh_options") {
        Some(Value::List(options)) => options.clone(),
        _ => Vec::new(),
    };
    let refused =
        |word: &str| format!("{key}: {word} has no meaning here; -o KEY=VALUE and -J HOST have");
    let words = super::ini::split(arguments)?;
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (flag, joined) = word.split_at_checked(2).ok_or_else(|| refused(word))?;
        let value = match joined {
            "" => words.next().ok_or_else(|| refused(word))?,
            value => value,
        };
        match flag {
            "-J" => data.insert("ssh_proxy_jump", value),
            "-o" => match value.split_once(['=', ' ']) {
                Some((name, value)) if name.eq_ignore_ascii_case("ProxyJump") => {
                    data.insert("ssh_proxy_jump", value);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("ProxyCommand") => {
                    data.insert("ssh_proxy_command", value);
                }
                // Ours are shared and kept already.
                Some((name, _)) if name.to_ascii_lowercase().starts_with("control") => {}
                Some((name, value)) => options.push(format!("{name}={value}").into()),
                None => return Err(refused(value)),
            },
            _ => return Err(refused(word)),
        }
    }
    if !options.is_empty() {
        data.insert("ssh_options", options);
    }
    Ok(())
}
