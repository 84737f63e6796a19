//! Invalid names, through the command: one line, and exit status 2.

use std::net::Ipv6Addr;

use hostlink::Data;
use hostlink_tests::cli::{code, run, stderr, stdout};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::docker_host::DockerHost;

use super::scene::hostlink;

/// Returns the one line of error for a name.
fn refusal(name: &str) -> String {
    let output = run(hostlink(&Data::new(), &[name, "exec", "--", "true"]));
    assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{}", stderr(&output));
    let line = stderr(&output);
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    line
}

#[test]
fn a_name_that_lacks_a_part_is_refused() {
    for (name, says) in [
        ("@dockerssh", "it is empty; write @dockerssh/HOST:CONTAINER"),
        ("@dockerssh/", "it is empty"),
        ("@podmanssh/", "write @podmanssh/HOST:CONTAINER"),
        ("@dockerssh/:x", "there is no host before the colon"),
        ("@dockerssh/h:", "there is no container or image after the colon"),
        ("@dockerssh/h:22:", "there is no container or image after the colon"),
        ("@dockerssh/ssh://h:c", "write HOST without a scheme"),
    ] {
        let line = refusal(name);
        assert!(line.starts_with(&format!("hostlink: {name}: ")), "{line}");
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn an_invalid_host_or_container_name_is_refused() {
    for (name, says) in [
        ("@dockerssh/-oProxyCommand=x:c", "the host begins with \"-\""),
        ("@dockerssh/u@-oProxyCommand=x:c", "the host begins with \"-\""),
        ("@dockerssh/-oProxyCommand=x@h:c", "the user begins with \"-\""),
        ("@dockerssh/h:a b", "is not valid in a name of a container or image"),
        ("@dockerssh/h:../x", "not a name of a container or image"),
        ("@dockerssh/-x", "not a name of a container or image"),
        ("@ssh/h/@dockerssh/c", "@dockerssh reaches its targets directly"),
        ("@ssh/h/@dockerssh/g:c", "so it cannot follow another target"),
    ] {
        let line = refusal(name);
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn its_fields_are_those_of_both() {
    let fields = |name: &str| -> Vec<String> {
        let output = run(hostlink_tests::cli::hostlink(["--json", "connectors", name]));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let fields = told["data"].as_array().unwrap();
        fields.iter().map(|field| field["key"].as_str().unwrap().to_owned()).collect()
    };
    for (both, engine) in [("dockerssh", "docker"), ("podmanssh", "podman")] {
        assert_eq!(fields(both), [fields(engine), fields("ssh")].concat());
    }
    let output = run(hostlink_tests::cli::hostlink(["connectors", "dockerssh"]));
    for key in ["docker_host (text)", "ssh_user (text)"] {
        assert!(stdout(&output).contains(key), "{}", stdout(&output));
    }
}

#[test]
fn a_host_may_have_a_user_a_port_and_brackets() {
    let container = Container::start(DEBIAN);
    let host = DockerHost::root();
    let data = host.data();
    let data = data.iter().filter(|(key, _)| !["ssh_user", "ssh_port"].contains(key));
    let data: Data = data.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let port = host.sshd().port();
    let name = format!("@dockerssh/root@{}:{port}:{}", host.address(), container.name());
    let output = run(hostlink(&data, &["--json", &name, "exec", "--", "hostname"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told["host"], name);
    assert_eq!(told["stdout"], container.shell("hostname"));
    // IPv6's loopback has no listener there: the error shows that address and port were parsed.
    let name = format!("@dockerssh/root@[{}]:{port}:app", Ipv6Addr::LOCALHOST);
    let output = run(hostlink(&data, &[&name, "exec", "--", "true"]));
    let line = stderr(&output);
    assert_eq!(code(&output), 255, "{line}");
    assert!(line.contains(&format!("cannot connect to ::1 port {port}")), "{line}");
}
