//! What several variables of Ansible mean together.

use hostlink_core::{ConnectorArguments, Data, FromValue, Value};

use super::ini::split;
use super::mapping::{is_template, template};
use crate::definition::HostDefinition;

/// What all of Ansible's own variables begin with.
pub(super) const PREFIX: &str = "ansible_";

/// What the variables of each method say, and those of `become`.
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
/// As they stand on ssh's command line, which takes the first value of an option.
const ARGUMENTS: [&str; 3] =
    ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// Whether a variable only means something together with others.
pub(super) fn is_one_of_several(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(PREFIX) else { return false };
    let (method, what) = rest.split_once('_').unwrap_or_default();
    let is_of_method = is_method(method) || method == "become";
    TOGETHER.contains(&key) || (is_of_method && OF_METHODS.contains(&what))
}

/// Whether `ansible_become_method` may have this word: the name of a privilege tool.
fn is_method(word: &str) -> bool {
    ConnectorArguments::tool_names().any(|tool| tool == word)
}

/// Whether the place of a variable is worth keeping: what else it could be than a template is never
/// wrong.
pub(super) fn may_be_wrong(key: &str, value: &Value) -> bool {
    let is_any_text = || key == HOST || key.ends_with("_user") || key.contains("_pass");
    is_one_of_several(key) && (!is_any_text() || is_template(value))
}

/// A variable without a meaning here.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) problem: String,
}

fn fault(key: impl Into<String>, problem: impl Into<String>) -> Fault {
    Fault { key: key.into(), problem: problem.into() }
}

/// Sets what the variables of a host, from all layers, mean together.
///
/// # Errors
///
/// What has no meaning here.
pub(super) fn together(all: &Data, host: &mut HostDefinition) -> Result<(), Fault> {
    // Most have none, and the order of the keys is that of what they mean, not of where they stand.
    let wrong = all.iter().filter(|(key, value)| is_template(value) && is_one_of_several(key));
    let rank = |key: &str| TOGETHER.iter().position(|it| *it == key).unwrap_or(TOGETHER.len());
    if let Some((key, _)) = wrong.min_by_key(|(key, _)| rank(key)) {
        return Err(fault(key, template(key)));
    }
    connection(all, host)?;
    if truth(BECOME, all)? == Some(true) {
        privilege(all, host)?;
    }
    ssh_arguments(all, &mut host.data)?;
    let [own, general] = CHECKING.map(|key| truth(key, all));
    match own?.or(general?) {
        Some(false) => host.data.insert("ssh_strict_host_key_checking", "no"),
        Some(true) => host.data.insert("ssh_strict_host_key_checking", "yes"),
        None => {}
    }
    Ok(())
}

/// What Ansible takes for yes and no (`convert_bool.py`), and refuses otherwise.
fn truth(key: &str, all: &Data) -> Result<Option<bool>, Fault> {
    let Some(value) = all.get(key) else { return Ok(None) };
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
        other => return Err(fault(CONNECTION, format!("{CONNECTION}={other} is not known here"))),
    };
    host.target = Some(format!("@{connector}/{there}"));
    if let Some(arguments) = text(DOCKER).filter(|_| connector == "docker") {
        host.data.insert("docker_host", engine(&arguments)?);
    }
    if let Some(user) = text(USER).filter(|_| connector != "chroot") {
        host.data.insert("docker_user", user);
    }
    Ok(())
}

/// Where the engine listens, by the arguments of the docker command in front of its own: `-H URL`,
/// `--host=URL`.
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
    let text = |key: &str| all.get(key).and_then(String::from_value);
    let method = text(METHOD).unwrap_or_else(|| "sudo".into());
    let method = method.rsplit('.').next().unwrap_or_default();
    // The method's own variables go before those of every method.
    let of_method = |what: &str| text(&format!("ansible_{method}_{what}"));
    let user = of_method("user").or_else(|| text("ansible_become_user"));
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
    let programs = [format!("ansible_{method}_exe"), "ansible_become_exe".to_owned()];
    let found = programs.into_iter().find_map(|key| text(&key).map(|program| (key, program)));
    let is_usual = |program: &str| [method, &format!("/usr/bin/{method}")].contains(&program);
    if let Some((key, _)) = found.filter(|(_, program)| !is_usual(program)) {
        let problem = format!("{key}: another program than {method} has no meaning here");
        return Err(fault(key, problem));
    }
    let password = of_method("pass")
        .or_else(|| text("ansible_become_pass"))
        .or_else(|| text("ansible_become_password"));
    if let Some(password) = password {
        host.data.insert(format!("_{method}_password"), password);
    }
    // The default of Ansible, and what is done here anyway.
    let flags = [format!("ansible_{method}_flags"), "ansible_become_flags".to_owned()];
    let found = flags.into_iter().find_map(|key| text(&key).map(|flags| (key, flags)));
    let (key, flags) = found.unwrap_or_default();
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

/// `-o Key=Value` and `-J HOST`; the rest of what ssh knows would be for its command line alone.
fn ssh_arguments(all: &Data, data: &mut Data) -> Result<(), Fault> {
    let mut options = match data.get("ssh_options") {
        Some(Value::List(options)) => options.clone(),
        _ => Vec::new(),
    };
    // Of several, ssh takes the first one.
    let (mut jump, mut proxy) = (None, None);
    for key in ARGUMENTS {
        let Some(arguments) = all.get(key).and_then(String::from_value) else { continue };
        let refused = |word: &str| {
            let problem =
                format!("{key}: {word} has no meaning here; -o KEY=VALUE and -J HOST have");
            fault(key, problem)
        };
        let words = split(&arguments).map_err(|problem| fault(key, problem))?;
        // Compression is among Ansible's defaults, and changes nothing that is done.
        let mut words = words.iter().map(String::as_str).filter(|word| *word != "-C");
        while let Some(word) = words.next() {
            let (flag, joined) = word.split_at_checked(2).ok_or_else(|| refused(word))?;
            let value = match joined {
                "" => words.next().ok_or_else(|| refused(word))?,
                value => value,
            };
            if flag == "-J" {
                jump.get_or_insert_with(|| value.to_owned());
                continue;
            }
            let (name, value) = value
                .split_once(['=', ' '])
                .filter(|_| flag == "-o")
                .ok_or_else(|| refused(if flag == "-o" { value } else { word }))?;
            match name.to_ascii_lowercase().as_str() {
                "proxyjump" => {
                    jump.get_or_insert_with(|| value.to_owned());
                }
                "proxycommand" => {
                    proxy.get_or_insert_with(|| value.to_owned());
                }
                // Ours are shared and kept already.
                name if name.starts_with("control") => {}
                _ => options.push(format!("{name}={value}").into()),
            }
        }
    }
    for (key, value) in [("ssh_proxy_jump", jump), ("ssh_proxy_command", proxy)] {
        if let Some(value) = value {
            data.insert(key, value);
        }
    }
    if !options.is_empty() {
        data.insert("ssh_options", options);
    }
    Ok(())
}
