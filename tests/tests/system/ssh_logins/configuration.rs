//! The user's own configuration of ssh, read as ssh reads it.

use std::fs;
use std::path::Path;

use hostlink::{Context, Data, ErrorKind};
use hostlink_tests::binary;
use hostlink_tests::cli::{code, command, run, stderr, stdout};
use hostlink_tests::keys::Key;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;
use tempfile::TempDir;

use crate::ssh_logins::scene::{
    assert_says, believing, connect_to, context, file, hostlink, key_of, refusal_of, text, user_of,
};

/// A server, a user on it, and a home directory on this machine.
struct Scene {
    sshd: Sshd,
    user: TestUser,
    key: Key,
    home: TempDir,
}

impl Scene {
    fn start() -> Self {
        let sshd = Sshd::builder().start();
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".ssh")).unwrap();
        Self { key: key_of(&sshd), user: TestUser::create("/bin/sh"), sshd, home }
    }

    /// Returns the address and the login as lines of ssh_config(5).
    fn lines(&self) -> String {
        let (key, user) = (text(self.key.path()), self.user.name());
        let port = self.sshd.port();
        format!("HostName 127.0.0.1\nPort {port}\nUser {user}\nIdentityFile {key}\n")
    }

    /// Returns these lines for a host of this name.
    fn host(&self, name: &str) -> String {
        format!("Host {name}\n{}", self.lines())
    }

    fn data(&self) -> Data {
        believing(&self.sshd.known_hosts())
    }

    /// Returns the context of a user who has this `~/.ssh/config`.
    fn home_with(&self, config: &str) -> Context {
        fs::write(self.home.path().join(".ssh/config"), config).unwrap();
        Context { home: Some(self.home.path().to_owned()), ..context() }
    }

    async fn logs_in(&self, data: &Data, context: &Context) {
        let link = connect_to("web", data, context).await;
        assert_eq!(user_of(&link).await, self.user.name());
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_host_of_the_users_configuration_is_reached_by_its_alias() {
    let it = Scene::start();
    it.logs_in(&it.data(), &it.home_with(&it.host("web"))).await;
}

#[test]
fn the_command_reads_the_configuration_of_the_home_directory() {
    let it = Scene::start();
    it.home_with(&it.host("web"));
    let mut command = hostlink("web", &it.data(), "id -un");
    command.env("HOME", it.home.path());
    let output = run(command);
    let expected = (0, format!("{}\n", it.user.name()));
    assert_eq!((code(&output), stdout(&output)), expected, "{}", stderr(&output));
}

#[tokio::test]
async fn a_configuration_that_is_named_is_read_in_its_place() {
    let it = Scene::start();
    let context = it.home_with("Host web\nHostName nowhere.invalid\n");
    let config = file(&it.host("web"));
    it.logs_in(&it.data().with("ssh_config_file", text(config.path())), &context).await;
}

#[tokio::test]
async fn no_configuration_is_read_when_it_is_none() {
    let it = Scene::start();
    let context = it.home_with(&it.host("web.invalid"));
    let data = it.data().with("ssh_config_file", "none");
    let error = refusal_of("web.invalid", &data, &context).await;
    assert_says(&error, ErrorKind::Connect, &["web.invalid"]);
    assert_eq!(it.sshd.logins(), 0);
}

#[tokio::test]
async fn data_wins_over_the_configuration() {
    let it = Scene::start();
    let context = it.home_with("Host web\nHostName 127.0.0.1\nPort 1\nUser nobody\n");
    let data = it
        .data()
        .with("ssh_port", i64::from(it.sshd.port()))
        .with("ssh_user", it.user.name())
        .with("ssh_key", text(it.key.path()));
    it.logs_in(&data, &context).await;
}

#[tokio::test]
async fn match_exec_decides_when_it_is_run() {
    let it = Scene::start();
    let mark = it.home.path().join("mark");
    let config = format!(
        "Match originalhost web exec \"test -e {}\"\n{}Host web\nHostName 127.0.0.1\nPort 1\n",
        text(&mark),
        it.lines()
    );
    let context = it.home_with(&config);
    let error = refusal_of("web", &it.data(), &context).await;
    assert_says(&error, ErrorKind::Connect, &["Connection refused"]);
    fs::write(&mark, "").unwrap();
    it.logs_in(&it.data(), &context).await;
}

#[tokio::test]
async fn include_takes_files_and_patterns() {
    let it = Scene::start();
    let parts = it.home.path().join("parts of it");
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("a.conf"), "Host other\nUser nobody\n").unwrap();
    fs::write(parts.join("b.conf"), it.host("web")).unwrap();
    let context = it.home_with(&format!("Include \"{}/*.conf\"\n", parts.display()));
    it.logs_in(&it.data(), &context).await;
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let it = Scene::start();
    let context = it.home_with("Host web\nNoSuchKeyword yes\n");
    let error = refusal_of("web", &it.data(), &context).await;
    let place = format!("{}: line 2", text(&it.home.path().join(".ssh/config")));
    assert_says(&error, ErrorKind::Data, &[&place, "nosuchkeyword"]);
}

/// Returns a proxy command that makes a mark, and then is itself the connection through ssh.
fn proxy(it: &Scene, mark: &Path) -> String {
    let config = it.home.path().join("door");
    let hosts = text(&it.sshd.known_hosts());
    let lines = format!("{}UserKnownHostsFile {hosts}\n", it.lines());
    fs::write(&config, format!("Host door\nUser root\n{lines}")).unwrap();
    let script = it.home.path().join("proxy");
    let line = format!("echo $* >{}; exec ssh -F {} -W $1:$2 door", text(mark), text(&config));
    fs::write(&script, line).unwrap();
    // ssh_config(5): the shell runs the line with `exec`, so it is one command.
    format!("sh {} %h %p", text(&script))
}

#[tokio::test]
async fn a_proxy_command_of_the_configuration_is_the_connection() {
    let it = Scene::start();
    let mark = it.home.path().join("mark");
    let context = it.home_with(&format!("{}ProxyCommand {}\n", it.host("web"), proxy(&it, &mark)));
    it.logs_in(&it.data(), &context).await;
    let port = it.sshd.port();
    assert_eq!(fs::read_to_string(&mark).unwrap(), format!("127.0.0.1 {port}\n"));
    assert_eq!(it.sshd.logins(), 2);
}

#[tokio::test]
async fn a_proxy_command_of_the_data_is_the_connection() {
    let it = Scene::start();
    let mark = it.home.path().join("mark");
    let context = it.home_with(&it.host("web"));
    let data = it.data().with("ssh_proxy_command", proxy(&it, &mark));
    it.logs_in(&data, &context).await;
    assert!(mark.exists());
    assert_eq!(it.sshd.logins(), 2);
}

#[tokio::test]
async fn a_proxy_command_that_is_switched_off_is_not_run() {
    let it = Scene::start();
    let mark = it.home.path().join("mark");
    let context = it.home_with(&format!("{}ProxyCommand {}\n", it.host("web"), proxy(&it, &mark)));
    it.logs_in(&it.data().with("ssh_proxy_command", "none"), &context).await;
    assert!(!mark.exists());
    assert_eq!(it.sshd.logins(), 1);
}

#[test]
fn a_user_needs_no_data_where_plain_ssh_needs_no_words() {
    let it = Scene::start();
    let (me, sshd) = (TestUser::create("/bin/sh"), &it.sshd);
    sshd.authorize_user(me.name(), &it.key.public());
    me.authorize("");
    me.write(".ssh/id_ed25519", 0o600, &fs::read_to_string(it.key.path()).unwrap());
    me.write(".ssh/config", 0o600, "Include more.conf\n");
    // Beside it: ssh_config(5), "Include".
    let host = format!("Host web\nHostName 127.0.0.1\nPort {}\n", sshd.port());
    me.write(".ssh/more.conf", 0o644, &host);
    me.write(".ssh/known_hosts", 0o644, "# mine, and cut off");
    // The user may have no access to the build directory.
    let own = me.home().join("hostlink");
    fs::copy(binary(), &own).unwrap();
    let user = me.name().to_owned();
    let words = ["-u", &user, "--", &text(&own), "web", "exec", "--", "id -un"];
    for _ in 0..2 {
        let mut it = command(Path::new("runuser"), words);
        it.env("HOME", me.home()).env_remove("SSH_AUTH_SOCK").current_dir("/");
        let output = run(it);
        let expected = (0, format!("{user}\n"), String::new());
        assert_eq!((code(&output), stdout(&output), stderr(&output)), expected);
        let known = fs::read_to_string(me.home().join(".ssh/known_hosts")).unwrap();
        let lines: Vec<&str> = known.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "# mine, and cut off"), "{known}");
    }
}

/// Returns data without a policy for host keys, and with a file of them.
fn policy_of_the_configuration(known_hosts: &Path) -> Data {
    let data = believing(known_hosts);
    data.iter()
        .filter(|(key, _)| *key != "ssh_strict_host_key_checking")
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
}

#[tokio::test]
async fn what_holds_finally_wins_over_our_defaults() {
    let it = Scene::start();
    let nobody = file("");
    let data = policy_of_the_configuration(nobody.path());
    let strict = "Match final host 127.0.0.1\nStrictHostKeyChecking yes\n";
    let last = it.home.path().join("last.conf");
    fs::write(&last, strict).unwrap();
    let include = format!("Include {}/*.conf\n", text(it.home.path()));
    for strict in [strict, &include] {
        let config = format!("{strict}{}", it.host("web"));
        let error = refusal_of("web", &data, &it.home_with(&config)).await;
        assert_says(&error, ErrorKind::HostKey, &["is not known"]);
    }
    // The control: if the configuration has none, our default applies in both passes.
    let silent = format!("{}Match final all\nCompression no\n", it.host("web"));
    it.logs_in(&data, &it.home_with(&silent)).await;
    assert!(!fs::read_to_string(nobody.path()).unwrap().is_empty(), "the new key is kept");
}

#[tokio::test]
async fn what_holds_finally_for_a_jump_host_wins_over_our_defaults() {
    let it = Scene::start();
    let nobody = file("");
    let data = policy_of_the_configuration(nobody.path()).with("ssh_proxy_jump", "door");
    let hosts = format!("{}{}", it.host("web"), it.host("door"));
    let strict = format!("Match final originalhost door\nStrictHostKeyChecking yes\n{hosts}");
    let error = refusal_of("web", &data, &it.home_with(&strict)).await;
    assert_says(&error, ErrorKind::HostKey, &["the jump host", "is not known"]);
    assert_eq!(it.sshd.logins(), 0);
    let silent = format!("Match final originalhost door\nCompression no\n{hosts}");
    it.logs_in(&data, &it.home_with(&silent)).await;
    assert_eq!(it.sshd.logins(), 2);
}
