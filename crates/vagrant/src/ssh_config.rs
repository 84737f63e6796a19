//! From the text of `vagrant ssh-config` to data of hosts.

use std::path::Path;

use hostlink_core::{Data, Value};

/// Finds the machines: a line `Host NAME`, then indented ones. Anything else is not from Vagrant's
/// template.
pub(crate) fn machines(text: &str, directory: &Path) -> Vec<(String, Data)> {
    let mut found: Vec<(String, Vec<Setting<'_>>)> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Host ") {
            found.push((unquoted(name).to_owned(), Vec::new()));
            is_inside = true;
        } else if line.starts_with([' ', '\t']) && is_inside {
            let (_, settings) = found.last_mut().expect("there is a Host line before it");
            settings.extend(setting(line));
        } else {
            is_inside = false;
        }
    }
    let as_data = |(name, settings): (String, Vec<_>)| (name, data(&settings, directory));
    found.into_iter().map(as_data).collect()
}

/// A keyword and its value.
type Setting<'a> = (&'a str, &'a str);

/// As ssh_config(5) splits a line: at white space, which may have one `=` in it.
fn setting(line: &str) -> Option<Setting<'_>> {
    let line = line.trim();
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=')?;
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    Some((keyword, rest.strip_prefix('=').unwrap_or(rest).trim()))
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

fn data(settings: &[Setting<'_>], directory: &Path) -> Data {
    let mut data = Data::new();
    let mut options = Vec::new();
    let has_key = settings.iter().any(|(keyword, _)| keyword.eq_ignore_ascii_case("IdentityFile"));
    for &(keyword, value) in settings {
        let text = unquoted(value);
        let (key, value) = match keyword.to_ascii_lowercase().as_str() {
            "hostname" => ("ssh_hostname", text.into()),
            "user" => ("ssh_user", text.into()),
            "port" => ("ssh_port", text.parse().map_or_else(|_| text.into(), Value::Int)),
            "userknownhostsfile" => ("ssh_known_hosts_file", text.into()),
            "stricthostkeychecking" => ("ssh_strict_host_key_checking", text.into()),
            "identityfile" if data.get("ssh_key").is_none() => ("ssh_key", text.into()),
            "identityfile" => {
                options.push(format!("IdentityFile={}", quoted(text)));
                continue;
            }
            "proxycommand" => ("ssh_proxy_command", value.into()),
            "forwardagent" => ("ssh_forward_agent", text.into()),
            // What `vagrant ssh` gives to ssh's -F.
            "include" => {
                ("ssh_config_file", directory.join(text).to_string_lossy().as_ref().into())
            }
            // hostlink reads ssh's log to see how a login went, and forwards no X11.
            "loglevel" | "forwardx11" => continue,
            // A key that is named is offered alone anyway.
            "identitiesonly" if has_key => continue,
            // Without a key a password is the only way in, and Vagrant writes this all the same.
            "passwordauthentication" if !has_key => continue,
            _ => {
                options.push(format!("{keyword}={value}"));
                continue;
            }
        };
        data.insert(key, value);
    }
    if !options.is_empty() {
        let options: Vec<Value> = options.into_iter().map(Value::from).collect();
        data.insert("ssh_options", options);
    }
    data
}

/// Vagrant means a path as it is, and ssh reads `%`, backslashes and quotes in one (ssh_config(5)).
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Vagrant 2.3.4 writes it.
    const TWO: &str = "noise\n  of a Vagrantfile\nHost web\n  HostName 127.0.0.1\n  User vagrant\n  Port 2222\n  \
        UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n  PasswordAuthentication no\n  \
        IdentityFile /p/.vagrant/machines/web/docker/private_key\n  IdentitiesOnly yes\n  LogLevel FATAL\n\n\
        1795290588,,ui,error,\n  not of a machine\nHost db\n  Include /p/own config\n  HostName ::1\n  User \"a b\"\n  Port 22\n  \
        PasswordAuthentication no\n  IdentityFile \"/p/a key\"\n  IdentityFile \"/p/100% b\"\n  LogLevel INFO\n  \
        ForwardAgent yes\n  ForwardX11 yes\n  ProxyCommand nc 'a\\nb' \"%h\" %p\n\n";

    fn found(text: &str) -> Vec<(String, Data)> {
        machines(text, Path::new("/p"))
    }

    fn list(values: &[&str]) -> Value {
        Value::List(values.iter().map(|value| Value::from(*value)).collect())
    }

    #[test]
    fn machines_become_data_of_ssh() {
        let web = Data::new()
            .with("ssh_hostname", "127.0.0.1")
            .with("ssh_user", "vagrant")
            .with("ssh_port", 2222)
            .with("ssh_known_hosts_file", "/dev/null")
            .with("ssh_strict_host_key_checking", "no")
            .with("ssh_key", "/p/.vagrant/machines/web/docker/private_key")
            .with("ssh_options", list(&["PasswordAuthentication=no"]));
        let db = Data::new()
            .with("ssh_config_file", "/p/own config")
            .with("ssh_hostname", "::1")
            .with("ssh_user", "a b")
            .with("ssh_port", 22)
            .with("ssh_key", "/p/a key")
            .with("ssh_forward_agent", "yes")
            .with("ssh_proxy_command", "nc 'a\\nb' \"%h\" %p")
            .with(
                "ssh_options",
                list(&["PasswordAuthentication=no", "IdentityFile=\"/p/100%% b\""]),
            );
        assert_eq!(found(TWO), [("web".to_owned(), web), ("db".to_owned(), db)]);
    }

    #[test]
    fn without_a_key_a_password_may_be_used() {
        let text = "Host a\n  PasswordAuthentication no\n  IdentitiesOnly yes\n  Ciphers=x,y\n";
        let options = list(&["IdentitiesOnly=yes", "Ciphers=x,y"]);
        assert_eq!(found(text)[0].1, Data::new().with("ssh_options", options));
    }

    #[test]
    fn what_is_not_from_vagrant_is_no_machine() {
        assert!(found("").is_empty());
        assert!(found("  User x\nhost a\n  User x\n").is_empty());
    }
}
