//! `examples/deploy`, started as a user starts it, on hosts over SSH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostlink_tests::cli::{
    code, command, count_running, run, send_signal, stderr, stdout, unique_seconds, wait_until,
};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// A server that stands for three hosts, and a directory with their inventory.
struct Scene {
    target: SshTarget,
    directory: tempfile::TempDir,
}

impl Scene {
    fn set() -> Self {
        let (target, directory) = (SshTarget::start(Sshd::builder()), tempfile::tempdir().unwrap());
        let (port, key) = (target.sshd.port(), target.key.path().display().to_string());
        let known_hosts = target.sshd.known_hosts().display().to_string();
        let hosts: String =
            HOSTS.map(|name| format!("  - {{name: {name}, target: 127.0.0.1}}\n")).concat();
        let text = format!(
            "data: {{ssh_port: {port}, ssh_user: root, ssh_key: '{key}', \
             ssh_known_hosts_file: '{known_hosts}'}}\nhosts:\n{hosts}"
        );
        fs::write(directory.path().join("hosts.yaml"), text).unwrap();
        fs::write(directory.path().join("template"), "for {host}\n").unwrap();
        Self { target, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn deploy(&self, destination: &Path, restart: &str) -> Command {
        let program = hostlink_tests::binary().with_file_name("deploy");
        let destination = destination.as_os_str();
        let mut words = vec![self.path("hosts.yaml").into_os_string()];
        words.extend([self.path("template").into_os_string(), destination.into(), restart.into()]);
        command(&program, words)
    }
}

#[test]
fn every_host_gets_the_file_and_is_restarted() {
    let scene = Scene::set();
    let (path, log) = (scene.path("app.conf"), scene.path("log"));
    let restart = format!("cat {} >>{}; id -u >>{1}", path.display(), log.display());
    let output = run(scene.deploy(&path, &restart));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    let mut lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    assert_eq!(lines, HOSTS.map(|name| format!("{name}: deployed")));
    assert_eq!(fs::read_to_string(&log).unwrap().matches("for web").count(), 3);
    assert!(scene.target.sshd.logins() >= 3);
}

#[test]
fn a_host_that_fails_does_not_hold_up_the_others() {
    let scene = Scene::set();
    let output = run(scene.deploy(&scene.path("app.conf"), "false"));
    assert_eq!((code(&output), stdout(&output)), (1, String::new()));
    assert_eq!(stderr(&output).matches("exit code 1").count(), 3, "{}", stderr(&output));
    let output = run(scene.deploy(&scene.path("no/such/app.conf"), "true"));
    assert_eq!((code(&output), stdout(&output)), (1, String::new()));
}

#[test]
fn an_interrupt_leaves_nothing_running() {
    let scene = Scene::set();
    let seconds = unique_seconds();
    let mut deploy = scene.deploy(&scene.path("app.conf"), &format!("sleep {seconds}"));
    let mut child = deploy.spawn().unwrap();
    wait_until("three commands run", || count_running("sleep", &seconds) == 3);
    send_signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(count_running("sleep", &seconds), 0);
}
