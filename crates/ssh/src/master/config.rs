//! The settings for ssh: a private configuration file for every hop, and arguments for the target.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use hostlink_core::{Context, Error, ErrorKind, Result};

use crate::destination::Destination;
use crate::fields;
use crate::settings::{HostKeyPolicy, Settings};

use super::final_pass;

/// Makes ssh report the progress of a login, with its process id. `LogLevel DEBUG1` would also
/// report each command and the server's banner.
const LOG: &str = "sshconnect.c:*,sshconnect2.c:*,kex.c:kex_exchange_identification*,\
    ssh.c:resolve_host*,ssh.c:ssh_stdio_confirm*,channels.c:channel_input_open_failure*,\
    packet.c:sshpkt_vfatal*,packet.c:ssh_packet_read_poll_seqnr*,clientloop.c:*alive*";

/// The system's configuration.
const SYSTEMS: &str = "/etc/ssh/ssh_config";

/// The name under which the user's own configuration is included.
pub(crate) const USERS: &str = "user";

/// Writes the configuration of one master into its directory.
///
/// The first value of a keyword counts (ssh_config(5)). So settings that every hop must have come
/// first, then the user's configuration and the system's, then our defaults.
///
/// # Errors
///
/// [`ErrorKind::Data`]: the given configuration file does not exist.
pub(crate) fn write(directory: &Path, settings: &Settings, context: &Context) -> Result<()> {
    let users = users_config(settings, context)?;
    if let Some(users) = &users {
        // A link, because Include expands wildcards and, in later versions, tokens and variables.
        symlink(users, directory.join(USERS)).map_err(cannot_write)?;
    }
    let systems = settings.config_file.is_none().then(|| PathBuf::from(SYSTEMS));
    let home = context.home.as_deref();
    let has_final_pass =
        users.iter().chain(&systems).any(|file| final_pass::is_asked_for(file, home));
    let text = render(directory, settings, users.is_some(), has_final_pass);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.join("config"))
        .and_then(|mut file| file.write_all(&text))
        .map_err(cannot_write)
}

fn cannot_write(error: io::Error) -> Error {
    let message = format!("cannot write ssh's private configuration: {error}");
    Error::new(ErrorKind::Connect, message).with_source(error)
}

fn users_config(settings: &Settings, context: &Context) -> Result<Option<PathBuf>> {
    if let Some(given) = &settings.config_file {
        if given.as_os_str() == "none" {
            return Ok(None);
        }
        let path = std::path::absolute(given).and_then(|path| path.metadata().map(|_| path));
        return path.map(Some).map_err(|error| {
            let message = format!("ssh_config_file {}: {error}", given.display());
            Error::new(ErrorKind::Data, message).with_source(error)
        });
    }
    let own = context.home.as_ref().map(|home| home.join(".ssh/config"));
    Ok(own.filter(|path| path.is_absolute() && path.exists()))
}

fn render(directory: &Path, settings: &Settings, has_users: bool, has_final_pass: bool) -> Vec<u8> {
    // UpdateHostKeys rewrites the whole known_hosts: some of many logins at the same time would
    // lose their lines.
    let mut text = format!(
        "LogLevel ERROR\nLogVerbose {LOG}\nBatchMode no\nNumberOfPasswordPrompts 1\n\
         UpdateHostKeys no\n\
         ControlMaster no\nControlPath none\nControlPersist no\nPermitLocalCommand no\n"
    )
    .into_bytes();
    text.extend(settings.host_keys.map(host_keys).unwrap_or_default().into_bytes());
    text.extend(
        settings.server_alive_interval.map(keep_alive_lines).unwrap_or_default().into_bytes(),
    );
    if let Some(path) = &settings.known_hosts_file {
        // A file without keys that can be written. For ssh, `none` is a file that it cannot write.
        let path = if path.as_os_str() == "none" { Path::new("/dev/null") } else { path };
        text.extend_from_slice(b"UserKnownHostsFile ");
        text.extend(quoted_path(path));
        text.push(b'\n');
    }
    if has_users {
        // The directory's path has no character that needs quoting: see `run`.
        text.extend_from_slice(b"Include ");
        text.extend_from_slice(directory.join(USERS).as_os_str().as_bytes());
        text.push(b'\n');
    }
    if settings.config_file.is_none() {
        text.extend(format!("Match all\nInclude {SYSTEMS}\n").into_bytes());
    }
    let last: &[u8] = if has_final_pass { b"Match final all\n" } else { b"Match all\n" };
    text.extend_from_slice(last);
    let policy = fields::STRICT_HOST_KEY_CHECKING.default_value();
    text.extend(host_keys(policy).into_bytes());
    let interval = fields::SERVER_ALIVE_INTERVAL.default_value();
    text.extend(keep_alive_lines(interval).into_bytes());
    text
}

fn host_keys(policy: HostKeyPolicy) -> String {
    let policy = match policy {
        HostKeyPolicy::Yes => "yes",
        HostKeyPolicy::AcceptNew => "accept-new",
        HostKeyPolicy::No => "no",
    };
    format!("StrictHostKeyChecking {policy}\n")
}

fn keep_alive_lines(setting: u32) -> String {
    let (interval, count) = keep_alive(setting);
    format!("ServerAliveInterval {interval}\nServerAliveCountMax {count}\n")
}

/// Returns the interval of ssh's checks and the number that may fail, so that a dead link is
/// detected within the setting (in seconds; 0: never), but not within less than 2 s. ssh ends when
/// the check after the last one would be due.
fn keep_alive(setting: u32) -> (u32, u32) {
    match setting {
        0 => (0, 3),
        setting => {
            let interval = (setting / 3).max(1);
            (interval, (setting / interval).saturating_sub(1).max(1))
        }
    }
}

/// Returns the arguments of the master. Settings on the command line are for the target, and do not
/// reach the hops.
///
/// `ssh_options` come last, so other keys override them.
pub(crate) fn master_arguments(directory: &Path, settings: &Settings) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let config = directory.join("config").into_os_string();
    let socket = directory.join("s").into_os_string();
    arguments.extend(["-M", "-N", "-T", "-S"].map(OsString::from));
    arguments.extend([socket, "-F".into(), config]);
    // Every connection would set up the user's own forwards, which would collide.
    for option in [
        "LogLevel=ERROR",
        "ControlPersist=no",
        "ClearAllForwardings=yes",
        "ExitOnForwardFailure=no",
        "ForkAfterAuthentication=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "Tunnel=no",
    ] {
        arguments.extend(["-o".into(), option.into()]);
    }
    target_arguments(settings, &mut arguments);
    arguments.extend(["--".into(), settings.host.clone().into()]);
    arguments
}

fn target_arguments(settings: &Settings, arguments: &mut Vec<OsString>) {
    let mut flag = |flag: &str, value: &str| arguments.extend([flag.into(), value.into()]);
    if let Some(user) = &settings.user {
        flag("-l", user);
    }
    if let Some(port) = settings.port {
        flag("-p", &port.to_string());
    }
    if let Some(jump) = &settings.proxy_jump {
        flag("-J", jump);
    }
    if let Some(command) = &settings.proxy_command {
        // The command is the rest of the line, without quoting.
        flag("-o", &format!("ProxyCommand={command}"));
    }
    if settings.forward_agent {
        flag("-o", "ForwardAgent=yes");
    }
    if !settings.allow_agent && !settings.forward_agent {
        flag("-o", "IdentityAgent=none");
    }
    // An agent that is forwarded must stay, so ssh offers only the keys that have files.
    if settings.key.is_some() || !settings.allow_agent && settings.forward_agent {
        flag("-o", "IdentitiesOnly=yes");
    }
    if settings.key.is_none() && !settings.look_for_keys {
        flag("-o", "IdentityFile=none");
    }
    if settings.password.is_some() && settings.key.is_none() {
        // The keys of an agent could use up the server's MaxAuthTries before the password is tried.
        flag(
            "-o",
            "PreferredAuthentications=keyboard-interactive,password,publickey,gssapi-with-mic,hostbased",
        );
    }
    for (name, path) in
        [("IdentityFile", &settings.key), ("CertificateFile", &settings.certificate)]
    {
        if let Some(path) = path {
            let mut option = OsString::from(format!("{name}="));
            option.push(OsStr::from_bytes(&quoted_path(path)));
            arguments.extend(["-o".into(), option]);
        }
    }
    for option in &settings.options {
        arguments.extend(["-o".into(), option.into()]);
    }
}

/// Returns the arguments that make ssh print its settings for a jump host.
pub(crate) fn query_arguments(directory: &Path, jump: &str) -> Vec<OsString> {
    let (user, host) = match Destination::parse(jump) {
        Ok(hop) => (hop.user, hop.host),
        Err(_) => (None, jump.to_owned()),
    };
    let mut arguments: Vec<OsString> = vec!["-G".into(), "-F".into()];
    arguments.push(directory.join("config").into_os_string());
    if let Some(user) = user {
        arguments.extend(["-l".into(), user.into()]);
    }
    arguments.extend(["--".into(), host.into()]);
    arguments
}

/// Returns `user@host` as in ssh's questions, from the output of `ssh -G`.
pub(crate) fn login_from_query(output: &str) -> Option<String> {
    let value = |key: &str| {
        let mut lines = output.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
    };
    let host = value("hostkeyalias").filter(|alias| alias != "none").or(value("hostname"))?;
    Some(format!("{}@{host}", value("user")?))
}

/// Quotes a path as one word of ssh_config(5), which expands `%`.
fn quoted_path(path: &Path) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in path.as_os_str().to_owned().into_vec() {
        match byte {
            b'"' | b'\\' => quoted.extend_from_slice(&[b'\\', byte]),
            b'%' => quoted.extend_from_slice(b"%%"),
            byte => quoted.push(byte),
        }
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_link_is_noticed_within_the_setting() {
        for setting in 2..600 {
            let (interval, count) = keep_alive(setting);
            let noticed = interval * (count + 1);
            assert!(noticed <= setting && noticed * 3 >= setting * 2, "{setting}: {noticed}");
        }
        assert_eq!(keep_alive(0).0, 0);
        assert_eq!(keep_alive(1), (1, 1));
    }

    #[test]
    fn a_query_names_the_user_and_the_host_of_a_jump() {
        for (jump, expected) in [
            ("bastion", &["--", "bastion"][..]),
            ("me@bastion:2222", &["-l", "me", "--", "bastion"]),
            ("me@corp@bastion", &["-l", "me@corp", "--", "bastion"]),
            ("[::1]:22", &["--", "::1"]),
            ("fe80::1", &["--", "fe80::1"]),
        ] {
            let arguments = query_arguments(Path::new("/d"), jump);
            assert_eq!(arguments[3..], *expected, "{jump}");
        }
    }

    #[test]
    fn a_path_is_one_word() {
        let path = Path::new("/a b/\"c\\%d");
        assert_eq!(quoted_path(path), br#""/a b/\"c\\%%d""#);
    }

    #[test]
    fn ssh_says_how_it_will_name_a_host() {
        let output = "user me\nhostname 10.0.0.1\nport 22\n";
        assert_eq!(login_from_query(output).as_deref(), Some("me@10.0.0.1"));
        let alias = format!("{output}hostkeyalias b\n");
        assert_eq!(login_from_query(&alias).as_deref(), Some("me@b"));
    }
}
