//! What an inventory that is not trusted may not do on this machine.

use std::collections::BTreeSet;

use hostlink::{ConnectorArguments, builtin_registry};
use hostlink_tests::cli::{code, stderr, stdout};

use super::Files;

/// Keys that run a program of this machine's, read or write its files, give a name of its another
/// meaning, or lower a guard. The values are valid.
const GUARDED: [(&str, &str); 18] = [
    ("docker_architecture", r#""arm64""#),
    ("docker_host", r#""tcp://10.0.0.1:2375""#),
    ("docker_platform", r#""linux/arm64""#),
    ("docker_sudo", "true"),
    ("docker_tag", r#""debian:12""#),
    ("podman_socket", r#""/srv/podman.sock""#),
    ("ssh_config_file", r#""/srv/config""#),
    ("ssh_control_path", r#""/srv/socket""#),
    ("ssh_forward_agent", "true"),
    ("ssh_known_hosts_file", r#""/srv/known_hosts""#),
    ("ssh_options", r#"["LocalCommand=touch x"]"#),
    ("ssh_proxy_command", r#""touch x""#),
    ("ssh_strict_host_key_checking", r#""no""#),
    ("terraform_directory", r#""/srv/tf""#),
    ("terraform_program", r#""/srv/evil""#),
    ("terraform_state", r#""/srv/state""#),
    ("vagrant_directory", r#""/srv/vagrant""#),
    ("_sudo_password_command", r#""touch x""#),
];

/// Keys that say how a target is reached, and what runs on it.
const HARMLESS: [&str; 30] = [
    "chroot_directory",
    "chroot_mounts",
    "chroot_path",
    "chroot_sudo",
    "chroot_sudo_password",
    "chroot_sudo_user",
    // An image of a container gets no name, and commands run without rights on this machine.
    "docker_commit",
    "docker_container_id",
    "docker_identifier",
    "docker_image",
    "docker_sudo_password",
    "docker_user",
    "docker_workdir",
    "ssh_allow_agent",
    "ssh_certificate",
    "ssh_connect_retries",
    "ssh_connect_retry_max_delay",
    "ssh_connect_retry_min_delay",
    "ssh_connect_timeout",
    "ssh_file_transfer_protocol",
    "ssh_hostname",
    // The private key itself is sent to no one.
    "ssh_key",
    "ssh_key_password",
    "ssh_look_for_keys",
    "ssh_password",
    "ssh_port",
    "ssh_proxy_jump",
    "ssh_proxy_jump_password",
    "ssh_server_alive_interval",
    "ssh_user",
];

/// Returns the files of a program that prints a host.
fn printing(host: &str) -> Files {
    Files::new(&[("program", &format!("#!/bin/sh\ncat <<'END'\n{{\"hosts\": [{host}]}}\nEND\n"))])
}

#[test]
fn a_program_may_not_set_what_acts_on_this_machine() {
    for (key, value) in GUARDED {
        let host = format!(
            r#"{{"name": "w1", "target": "@docker/busybox", "data": {{"{key}": {value}}}}}"#
        );
        let files = printing(&host);
        let says = format!("{key}: what a program prints may not set this");
        for words in [&["exec", "--", "true"][..], &["put", "program", "/tmp/x"], &["inventory"]] {
            files.refused(&[&["./program"], words].concat(), &says);
        }
        assert_eq!(files.0.path().read_dir().unwrap().count(), 1, "{key}: it has run something");
        let trusted = files.hostlink(&["--trust-data", "./program", "inventory", "--json"]);
        let shown = stdout(&trusted);
        assert!(shown.contains("w1"), "the control, {key}: {}", stderr(&trusted));
    }
}

#[test]
fn a_program_may_not_say_that_a_host_is_on_this_machine() {
    for target in ["@local", "@chroot//srv", "@local/@chroot//srv", "@terraform", "@ansible/hosts"]
    {
        let files = printing(&format!(r#"{{"name": "w1", "target": "{target}"}}"#));
        files.refused(&["./program", "exec", "--", "true"], "is on this machine, and a program");
    }
    let files = printing(r#"{"name": "w1", "target": "@docker/no-such-container-of-hostlink"}"#);
    let output = files.hostlink(&["./program", "inventory"]);
    assert_eq!(code(&output), 0, "the control: {}", stderr(&output));
}

#[test]
fn every_key_is_judged() {
    let registry = builtin_registry();
    let fields = || registry.connectors().flat_map(|connector| connector.about().fields);
    let keys: BTreeSet<&str> = fields().map(|field| field.key).collect();
    let guarded = |key: &&str| GUARDED.iter().any(|(guarded, _)| guarded == key);
    let judged: BTreeSet<&str> = keys.iter().copied().filter(guarded).chain(HARMLESS).collect();
    assert_eq!(judged, keys, "a key belongs in one of the two lists");
    let marked: BTreeSet<&str> = fields().filter(|it| it.guarded).map(|it| it.key).collect();
    assert_eq!(marked, keys.iter().copied().filter(guarded).collect());
    // Arguments only say how a command runs on its target.
    assert!(ConnectorArguments::FIELDS.iter().all(|field| !field.guarded));
}
