//! `examples/deploy`, started as a user starts it, on hosts over SSH.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use hostlink_tests::cli::{
    code, command, count_running, run, send_signal, stderr, stdout, unique_seconds, wait_until,
};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::user::TestUser;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// A server that stands for three hosts, whose user may use sudo, and a directory with their
/// inventory. Commands on the last one see `LATE`.
struct Scene {
    target: SshTarget,
    directory: tempfile::TempDir,
    _user: TestUser,
    _sudoer: Sudoer,
}

impl Scene {
    fn set() -> Self {
        let user = TestUser::create("/bin/sh");
        let sudoer = Sudoer::without_password(user.name());
        let target = SshTarget::as_user(user.name(), Sshd::builder());
        let (port, key) = (target.sshd.port(), target.key.path().display().to_string());
        let known_hosts = target.sshd.known_hosts().display().to_string();
        let late = |name| if name == HOSTS[2] { ", data: {_env: {LATE: x}}" } else { "" };
        let hosts = HOSTS
            .map(|name| format!("  - {{name: {name}, target: 127.0.0.1{}}}\n", late(name)))
            .concat();
        let text = format!(
            "data: {{ssh_port: {port}, ssh_user: {}, ssh_key: '{key}', \
             ssh_known_hosts_file: '{known_hosts}'}}\nhosts:\n{hosts}",
            user.name()
        );
        // Only root may write here.
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("hosts.yaml"), text).unwrap();
        fs::write(directory.path().join("template"), "for {host}\n").unwrap();
        Self { target, directory, _user: user, _sudoer: sudoer }
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
    let log = fs::read_to_string(&log).unwrap();
    assert_eq!((log.matches("for web").count(), log.matches("0\n").count()), (3, 3), "{log}");
    assert!(scene.target.sshd.logins() >= 3);
}

#[test]
fn each_result_is_printed_as_it_comes() {
    let scene = Scene::set();
    let go_on = scene.path("go-on");
    let restart =
        format!("[ -z \"$LATE\" ] || until [ -e {} ]; do sleep 0.05; done", go_on.display());
    let mut child = scene.deploy(&scene.path("app.conf"), &restart).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut first: Vec<_> = lines.by_ref().take(2).collect();
    first.sort_unstable();
    assert_eq!(first, ["web1: deployed", "web2: deployed"]);
    fs::write(go_on, "").unwrap();
    assert_eq!(lines.collect::<Vec<_>>(), ["web3: deployed"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_host_that_fails_does_not_hold_up_the_others() {
    let scene = Scene::set();
    let output = run(scene.deploy(&scene.path("app.conf"), "[ -z \"$LATE\" ]"));
    let mut lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    assert_eq!(
        (code(&output), &*lines),
        (1, &["web1: deployed", "web2: deployed"].map(str::to_owned)[..])
    );
    let told = stderr(&output);
    assert!(told.starts_with("deploy: web3: ") && told.contains("exit code 1"), "{told}");
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
    let names = fs::read_dir(scene.directory.path()).unwrap().count();
    assert_eq!(names, 3, "the inventory, the template, and what was deployed");
}

/// The environment of the program leads to the engine, as that of other programs.
#[test]
fn an_engine_is_that_of_the_environment() {
    let scene = Scene::set();
    fs::write(scene.path("hosts.yaml"), "hosts: [{name: c, target: '@docker/c'}]\n").unwrap();
    let mut deploy = scene.deploy(&scene.path("app.conf"), "true");
    deploy.env("DOCKER_HOST", "unix:///nowhere.sock");
    let output = run(deploy);
    let told = stderr(&output);
    assert_eq!(code(&output), 1, "{told}");
    assert!(told.contains("/nowhere.sock (DOCKER_HOST)"), "{told}");
}
