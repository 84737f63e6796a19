use std::process::Command;

use hostlink_core::{Data, ErrorKind, Value};

use super::*;

fn target(data: Data) -> Target {
    Target { name: "web1".to_owned(), data, outer: None }
}

fn parse(data: Data) -> Result<Settings> {
    Settings::parse(&target(data), Some(Path::new("/nowhere/home")))
}

fn problem(data: Data) -> String {
    let shown = format!("{data:?}");
    let error = parse(data).map(|settings| panic!("{shown}: {settings:?}")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    error.to_string()
}

fn one(key: &str, value: impl Into<Value>) -> Data {
    Data::new().with(key, value)
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

#[test]
fn without_data_all_is_default() {
    let settings = parse(Data::new().with("mine", 1).with("ssh_user", Value::Null)).unwrap();
    assert_eq!(settings.host, "web1");
    assert_eq!((settings.port, settings.user, settings.connect_timeout), (None, None, None));
    assert!(settings.allow_agent && settings.look_for_keys && !settings.forward_agent);
}

#[test]
fn the_defaults_are_those_that_help_texts_show() {
    let shown = fields::FIELDS.iter().filter(|field| !field.default.is_empty());
    let given = parse(shown.map(|field| (field.key, field.default)).collect::<Data>()).unwrap();
    let default = parse(Data::new()).unwrap();
    assert_eq!(given.host_keys, Some(HostKeyPolicy::AcceptNew));
    let interval = fields::SERVER_ALIVE_INTERVAL.default_value();
    assert_eq!(given.server_alive_interval, Some(interval));
    assert_eq!(given.retry_delays(), default.retry_delays());
    let of_ssh_or_both = Settings {
        host_keys: None,
        server_alive_interval: None,
        retry_min_delay: None,
        retry_max_delay: None,
        ..given
    };
    assert_eq!(of_ssh_or_both, default);
}

#[test]
fn every_key_is_read() {
    let data = Data::new()
        .with("ssh_hostname", "[2001:db8::1]")
        .with("ssh_port", "2222")
        .with("ssh_user", "DOMAIN\\deploy")
        .with("ssh_password", Value::Secret(" p\"w ".into()))
        .with("ssh_allow_agent", "no")
        .with("ssh_look_for_keys", false)
        .with("ssh_forward_agent", "Yes")
        .with("ssh_config_file", "none")
        .with("ssh_known_hosts_file", "~/.ssh/known")
        .with("ssh_strict_host_key_checking", true)
        .with("ssh_connect_timeout", "2.5")
        .with("ssh_connect_retries", 3)
        .with("ssh_connect_retry_min_delay", 0)
        .with("ssh_connect_retry_max_delay", "250ms")
        .with("ssh_file_transfer_protocol", "scp")
        .with("ssh_proxy_jump", "ssh://u%40corp@b1:22, [::1]:7,2001:db8::2")
        .with("ssh_proxy_jump_password", 1234)
        .with("ssh_proxy_command", "None")
        .with("ssh_options", list(&["Ciphers=aes128-ctr,aes256-ctr", "Port 5"]))
        .with("ssh_server_alive_interval", 0);
    let settings = parse(data).unwrap();
    let expected = Settings {
        host: "2001:db8::1".to_owned(),
        port: Some(2222),
        user: Some("DOMAIN\\deploy".to_owned()),
        password: Some(" p\"w ".into()),
        allow_agent: false,
        look_for_keys: false,
        forward_agent: true,
        config_file: Some("none".into()),
        known_hosts_file: Some("/nowhere/home/.ssh/known".into()),
        host_keys: Some(HostKeyPolicy::Yes),
        connect_timeout: Some(Duration::from_millis(2500)),
        connect_retries: 3,
        retry_min_delay: Some(Duration::ZERO),
        retry_max_delay: Some(Duration::from_millis(250)),
        file_protocol: FileProtocol::Scp,
        proxy_jump: Some("u@corp@b1:22,[::1]:7,[2001:db8::2]".to_owned()),
        proxy_jump_password: Some("1234".into()),
        proxy_command: Some("none".to_owned()),
        options: vec!["Ciphers=aes128-ctr,aes256-ctr".to_owned(), "Port 5".to_owned()],
        server_alive_interval: Some(0),
        ..parse(Data::new()).unwrap()
    };
    assert_eq!(settings, expected);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("p\\\"w") && !shown.contains("1234"), "{shown}");
}

#[test]
fn a_control_path_goes_with_what_is_not_of_the_login() {
    let data = one("ssh_control_path", "~/.ssh/m %C").with("ssh_user", "u").with("ssh_port", 1);
    let settings = parse(data).unwrap();
    assert_eq!(settings.control_path, Some("/nowhere/home/.ssh/m %C".into()));
}

#[test]
fn words_for_choices() {
    for (value, policy) in [
        (Value::from("yes"), HostKeyPolicy::Yes),
        (true.into(), HostKeyPolicy::Yes),
        ("Accept-New".into(), HostKeyPolicy::AcceptNew),
        ("no".into(), HostKeyPolicy::No),
        ("off".into(), HostKeyPolicy::No),
        (false.into(), HostKeyPolicy::No),
    ] {
        let settings = parse(one("ssh_strict_host_key_checking", value)).unwrap();
        assert_eq!(settings.host_keys, Some(policy));
    }
    for (word, protocol) in [
        ("auto", FileProtocol::Auto),
        ("SFTP", FileProtocol::Sftp),
        ("scp", FileProtocol::Scp),
        ("stream", FileProtocol::Stream),
    ] {
        let settings = parse(one("ssh_file_transfer_protocol", word)).unwrap();
        assert_eq!(settings.file_protocol, protocol);
    }
}

#[test]
fn a_single_delay_moves_the_default_of_the_other() {
    let delays = |key: &str, value: &str| {
        let (least, most) = parse(one(key, value)).unwrap().retry_delays();
        (least.as_millis(), most.as_millis())
    };
    assert_eq!(delays("ssh_connect_retry_min_delay", "2"), (2000, 2000));
    assert_eq!(delays("ssh_connect_retry_max_delay", "50ms"), (50, 50));
    assert_eq!(delays("ssh_connect_retry_max_delay", "5"), (100, 5000));
}

#[test]
fn all_faults_are_reported_together() {
    let data = Data::new()
        .with("ssh_port", 0)
        .with("ssh_usr", "x")
        .with("ssh_key", "/nowhere/k")
        .with("ssh_strict_host_key_checking", "ask")
        .with("ssh_proxy_jump", "b1,-oProxyCommand=x")
        .with("ssh_proxy_command", "nc %h %p");
    assert_eq!(
        problem(data),
        "web1: ssh_usr: there is no such key (did you mean ssh_user?); \
         ssh_port: 0 is not a port from 1 to 65535; \
         ssh_key: \"/nowhere/k\" does not exist; \
         ssh_strict_host_key_checking: ask is not possible, since hostlink's ssh cannot ask a user: \
         use accept-new, or yes after `ssh-keyscan HOST` or a first login by hand; \
         ssh_proxy_jump: \"b1,-oProxyCommand=x\" is not valid: in hop 2, the host begins with \"-\", as options do; \
         ssh_proxy_jump: cannot be combined with ssh_proxy_command"
    );
}

#[test]
fn every_single_fault_is_reported() {
    for (key, value, expected) in [
        ("ssh_hostname", Value::from(""), "\"\" is empty"),
        ("ssh_hostname", "-oProxyCommand=x".into(), "\"-oProxyCommand=x\" begins with \"-\""),
        ("ssh_hostname", "a b".into(), "holds white space"),
        ("ssh_hostname", "a\nb".into(), "\"a\\nb\" contains a control character"),
        ("ssh_hostname", "h:22".into(), "write the host alone, its port in ssh_port"),
        ("ssh_hostname", "u:hunter2@h".into(), "\"u:***@h\" "),
        ("ssh_hostname", "ssh://h".into(), "write the host alone"),
        ("ssh_hostname", Value::Bool(true), "true is not text"),
        ("ssh_user", "".into(), "\"\" is empty"),
        ("ssh_user", "-oProxyCommand=x".into(), "begins with \"-\""),
        ("ssh_user", "a -b".into(), "holds \"-\" after white space"),
        ("ssh_user", "a;b".into(), "holds the character ;"),
        ("ssh_user", "a\tb".into(), "contains a control character"),
        ("ssh_port", 70000.into(), "70000 is not a port from 1 to 65535"),
        ("ssh_port", "ssh".into(), "\"ssh\" is not a port from 1 to 65535"),
        ("ssh_port", Value::Float(22.5), "22.5 is not a port"),
        ("ssh_password", "hunter2\n".into(), "it holds a line break"),
        ("ssh_password", "hunter2".repeat(200).into(), "longer than ssh can read (1023 bytes)"),
        ("ssh_password", list(&["hunter2"]), "*** is not text"),
        ("ssh_key_password", "hunter2".into(), "has no effect without ssh_key"),
        ("ssh_key", "~other/k".into(), "starts with ~user"),
        ("ssh_key", "/dev/null".into(), "is not a regular file"),
        ("ssh_certificate", "/nowhere/c".into(), "does not exist"),
        ("ssh_config_file", "/nowhere/c".into(), "does not exist"),
        ("ssh_known_hosts_file", "/".into(), "is a directory"),
        ("ssh_known_hosts_file", "/a\"b".into(), "contains a double quote"),
        ("ssh_control_path", "/a\nb".into(), "\"/a\\nb\" contains a control character"),
        ("ssh_allow_agent", "maybe".into(), "\"maybe\" is not true or false"),
        ("ssh_strict_host_key_checking", "maybe".into(), "is not yes, accept-new or no"),
        ("ssh_file_transfer_protocol", "ftp".into(), "\"ftp\" is not auto, sftp, scp or stream"),
        ("ssh_connect_timeout", 0.into(), "0 s leaves no time"),
        ("ssh_connect_timeout", "soon".into(), "\"soon\" is not a number of seconds"),
        ("ssh_connect_timeout", Value::Float(1e18), "is more than a day"),
        ("ssh_connect_retries", (-1).into(), "-1 is not a whole number, 0 or more"),
        ("ssh_server_alive_interval", "1.5".into(), "1.5 s is not a whole number of seconds"),
        ("ssh_proxy_jump_password", "hunter2".into(), "without a host in ssh_proxy_jump"),
        ("ssh_proxy_command", " ".into(), "is empty"),
        ("ssh_proxy_command", "a\nb".into(), "contains a control character"),
        ("ssh_pasword", "hunter2".into(), "(did you mean ssh_password?)"),
        ("ssh_entirely_else", "hunter2".into(), "must not begin with ssh_"),
        ("ssh_paramiko_connect_kwargs", "hunter2".into(), "use ssh_options"),
    ] {
        let error = problem(one(key, value));
        assert!(error.starts_with(&format!("web1: {key}: ")), "{error}");
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        assert!(!error.contains(['\n', '\t']) && !error.contains("; "), "several: {error}");
    }
}

#[test]
fn jumps_that_ssh_would_misread_are_refused() {
    for (jump, expected) in [
        ("", "is not a valid hop: the host is empty"),
        ("a,,b", "in hop 2, the host is empty"),
        ("a,b:0", "in hop 2, the port is not a number from 1 to 65535"),
        ("-oProxyCommand=x", "is not a valid hop: the host begins with \"-\""),
        ("-l@h", "the user begins with \"-\""),
        ("a b", "the host holds white space"),
        ("ssh://u%0a@h", "the user contains a control character"),
        ("ssh://u:hunter2@h", "a name holds no password"),
        ("b1,ssh://u:hunter2@h", "a name holds no password"),
        ("ssh://u%2cx@h", "the user holds the character ,"),
        ("$HOME@h", "the user holds the character $"),
        ("DOM\\u@h", "the user holds the character \\"),
        ("fe80::1%eth0", "the host holds the character %"),
        ("h*", "the host holds the character *"),
        ("none,b1,", "in hop 3"),
    ] {
        let error = problem(one("ssh_proxy_jump", jump));
        assert!(error.contains(expected) && !error.contains("hunter2"), "{jump}: {error}");
    }
    assert_eq!(parse(one("ssh_proxy_jump", "NONE")).unwrap().proxy_jump.as_deref(), Some("none"));
}

#[test]
fn options_that_are_none_or_are_ours_are_refused() {
    for (entry, expected) in [
        ("", "is empty"),
        ("Ciphers", "\"Ciphers\" has no value: write Ciphers=Value"),
        ("Ciphers=", "has no value"),
        ("Ciphers = ", "has no value"),
        ("=x", "is not written Key=Value"),
        ("-oPort=5", "is not written Key=Value, without -o"),
        ("# Port=5", "is not written Key=Value"),
        ("Port\"5\"", "is not written Key=Value"),
        ("\"ControlPath\" x", "is not written Key=Value"),
        ("Port=5\nProxyCommand=x", "contains a control character"),
        ("controlpath=x", "cannot be set: hostlink has a master of its own"),
        (" ControlMaster yes", "cannot be set"),
        ("CONTROLPERSIST=1", "cannot be set"),
        ("RemoteCommand=x", "cannot be set"),
        ("SessionType none", "cannot be set"),
        ("ForkAfterAuthentication=yes", "cannot be set"),
        ("StdinNull=yes", "cannot be set"),
        ("RequestTTY=force", "cannot be set"),
        ("BatchMode=yes", "cannot be set: hostlink answers ssh's questions itself"),
        ("LocalForward=8080 web:80", "made by Link::forward, or `hostlink HOST forward`"),
        ("remoteforward 8080 web:80", "made by Link::forward"),
        ("DynamicForward=1080", "made by Link::forward"),
        ("ForwardX11=yes", "forwards no X11"),
        ("SendEnv LANG", "from _env"),
        ("SetEnv A=b", "from _env"),
        ("Match exec x", "blocks belong into a file: ssh_config_file"),
        ("Host *", "blocks belong into a file"),
        ("StrictHostKeyChecking=\"ask\"", "use accept-new"),
    ] {
        let error = problem(one("ssh_options", list(&["Port=5", entry])));
        assert!(error.starts_with("web1: ssh_options: ") && error.contains(expected), "{error}");
    }
    let error = problem(one("ssh_options", "Ciphers=a,b"));
    assert!(error.ends_with("and give a list where values hold commas"), "{error}");
}

#[test]
fn contradictions_are_reported_once_each() {
    for (data, expected) in [
        (
            one("ssh_control_path", "/s")
                .with("ssh_password", "hunter2")
                .with("ssh_options", "A=b"),
            "ssh_control_path: its master is logged in already: \
             leave out ssh_password, ssh_options, or ssh_control_path",
        ),
        (
            one("ssh_connect_retry_min_delay", 2).with("ssh_connect_retry_max_delay", "1.5"),
            "ssh_connect_retry_min_delay: 2 s is more than ssh_connect_retry_max_delay, 1.5 s",
        ),
        (
            one("ssh_proxy_jump", "none").with("ssh_proxy_jump_password", "hunter2"),
            "ssh_proxy_jump_password: has no effect without a host in ssh_proxy_jump",
        ),
    ] {
        assert_eq!(problem(data), format!("web1: {expected}"));
    }
    parse(one("ssh_proxy_jump", "none").with("ssh_proxy_command", "nc %h %p")).unwrap();
    parse(one("ssh_proxy_jump", "b").with("ssh_proxy_command", "none")).unwrap();
}

#[test]
fn the_name_is_the_host_unless_it_cannot_be_one() {
    let named = |name: &str| Target { name: name.to_owned(), ..target(Data::new()) };
    assert_eq!(Settings::parse(&named("[::1]"), None).unwrap().host, "::1");
    let error = Settings::parse(&named("-oProxyCommand=x"), None).unwrap_err().to_string();
    assert_eq!(
        error,
        "-oProxyCommand=x: ssh_hostname: not given, and \"-oProxyCommand=x\" begins with \"-\", as options do"
    );
}

#[test]
fn a_value_given_as_a_secret_is_masked_under_any_key() {
    let secret = || Value::Secret("/a:b/hunter2;".into());
    for field in fields::FIELDS {
        for value in [secret(), Value::List(vec![secret(), "Port=5".into()])] {
            let Err(error) = parse(one(field.key, value)) else { continue };
            let error = error.to_string();
            assert!(error.contains(field.key) && !error.contains("hunter2"), "{error}");
        }
    }
}

/// `ssh -G` connects to nothing: it says what it has understood.
#[test]
fn ssh_understands_what_is_accepted() {
    for (jump, option) in [
        ("b1", "Port=5"),
        ("u@b1:22,[2001:db8::1]:7", "Port 5"),
        ("ssh://me%40corp@b1:22/,2001:db8::1", "Port = \"5\""),
        ("bücher.example", " port\t5"),
    ] {
        let data = one("ssh_proxy_jump", jump).with("ssh_options", list(&[option]));
        let settings = parse(data).unwrap();
        let jump = settings.proxy_jump.unwrap();
        let mut ssh = Command::new("ssh");
        ssh.args(["-G", "-F", "none", "-J", &jump, "-o", &settings.options[0], "--", "web1"]);
        let output = ssh.output().unwrap();
        assert!(output.status.success(), "{jump}: {output:?}");
        let understood = String::from_utf8(output.stdout).unwrap();
        assert!(understood.contains("\nport 5\n"), "{option}: {understood}");
    }
}
