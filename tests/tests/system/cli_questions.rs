//! Which questions are asked on a terminal, and when: with several hosts, none that no flag asked
//! for.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hostlink_tests::cli::{code, run, stderr};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::terminal::Terminal;
use hostlink_tests::user::TestUser;

const PASSWORD: &str = "correct horse";
const SUDO: &str = "the password for sudo: ";

/// Five hosts, which are one server. The third one takes no key.
struct Scene {
    target: SshTarget,
    user: TestUser,
    known: tempfile::NamedTempFile,
}

const REFUSES: &str = "127.0.1.3";

impl Scene {
    fn new() -> Self {
        let user = TestUser::create("/bin/sh");
        user.set_password(PASSWORD);
        let builder = Sshd::builder().listen("0.0.0.0").passwords();
        let no_keys = "PubkeyAuthentication no";
        let builder = builder.config_where(&format!("LocalAddress {REFUSES}"), no_keys);
        let known = tempfile::NamedTempFile::new().unwrap();
        let target = SshTarget::as_user(user.name(), builder)
            .with("ssh_known_hosts_file", known.path().display().to_string())
            .with("ssh_strict_host_key_checking", "accept-new");
        Self { target, user, known }
    }

    fn words(&self, options: &[&str], targets: &str, line: &str) -> Vec<String> {
        let mut words: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        words.extend(self.target.words());
        words.pop();
        words.extend([targets, "exec", "--", line].map(str::to_owned));
        words
    }

    fn on_terminal(&self, options: &[&str], targets: &str, line: &str) -> Terminal {
        let words = self.words(options, targets, line);
        Terminal::start(&hostlink_tests::binary(), words, &[])
    }
}

const ALL: &str = "127.0.1.[1-5]";

#[test]
fn a_host_of_several_that_refuses_the_key_fails_without_a_question() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&[], ALL, "echo in");
    assert_eq!(terminal.wait_for_status(), 1, "{:?}", terminal.shown());
    let shown = terminal.shown();
    for number in [1, 2, 4, 5] {
        assert!(shown.contains(&format!("[127.0.1.{number}] in\r\n")), "{shown:?}");
    }
    let error = shown.lines().find(|line| line.starts_with("hostlink: 127.0.1.3: "));
    let error = error.unwrap_or_else(|| panic!("{shown:?}"));
    let advice = "wants a password: set ssh_password \
                  (flags: --ssh-password-file, --ssh-password-prompt)";
    assert!(error.contains(advice), "{error}");
    assert_eq!(shown.lines().count(), 6, "{shown:?}");
    assert!(scene.known.path().exists());
}

#[test]
fn a_flag_asks_once_for_all_hosts() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["--ssh-password-prompt"], ALL, "echo in");
    terminal.wait_for("hostlink: SSH password for all targets: ");
    terminal.type_in(&format!("{PASSWORD}\r"));
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    assert_eq!(terminal.shown().matches("] in\r\n").count(), 5);
}

#[test]
fn one_host_asks_on_a_line_of_its_own_unless_batch_forbids_it() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["-vv"], REFUSES, "echo in");
    let question = format!("the password of {}@{REFUSES}: ", scene.user.name());
    terminal.wait_for(&question);
    terminal.type_in(&format!("{PASSWORD}\r"));
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    let shown = terminal.shown();
    let line = format!("\nhostlink: {REFUSES}: {question}\r\n");
    assert!(shown.contains(&line), "{shown:?}");
    let terminal = scene.on_terminal(&["--batch"], REFUSES, "echo in");
    assert_eq!(terminal.wait_for_status(), 255, "{:?}", terminal.shown());
    assert!(terminal.shown().contains("wants a password"), "{:?}", terminal.shown());
    assert!(!terminal.shown().contains(&question), "{:?}", terminal.shown());
}

#[test]
fn sudo_s_password_is_asked_for_before_anything_connects_and_never_shown() {
    let scene = Scene::new();
    let _sudoer = Sudoer::with_password(scene.user.name());
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    // An inventory that takes its time.
    let script = format!(
        "#!/bin/sh\nuntil [ -e {} ]; do sleep 0.02; done\necho '{{\"hosts\": [\"127.0.1.[1-2]\"]}}'\n",
        path("go")
    );
    fs::write(path("list"), script).unwrap();
    fs::set_permissions(path("list"), fs::Permissions::from_mode(0o755)).unwrap();
    for (flags, count) in [(&["--same-sudo-password"][..], 1), (&["--use-sudo-password"], 2)] {
        let _ = fs::remove_file(path("go"));
        let before = scene.target.sshd.logins();
        let options = [&["--sudo"], flags].concat();
        let terminal = scene.on_terminal(&options, &path("list"), "id -un");
        terminal.wait_until_taken_over();
        // It is typed ahead.
        terminal.type_in(&format!("{PASSWORD}\r"));
        fs::write(path("go"), "").unwrap();
        if count == 2 {
            terminal.wait_for_count(SUDO, 2);
            assert_eq!(scene.target.sshd.logins(), before);
            terminal.type_in(&format!("{PASSWORD}\r"));
        }
        assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
        let shown = terminal.shown();
        assert_eq!(shown.matches(SUDO).count(), count, "{shown:?}");
        assert_eq!(shown.matches("] root\r\n").count(), 2, "{shown:?}");
        assert!(!shown.contains("horse"), "{shown:?}");
    }
}

#[test]
fn each_step_of_a_login_is_reported_and_what_ssh_says_beyond_that() {
    let scene = Scene::new();
    let told = |options: &[&str], host: &str| {
        let words = scene.words(&[&["--batch"], options].concat(), host, "echo in");
        stderr(&run(hostlink_tests::cli::hostlink(words)))
    };
    let steps = ["Connecting to 127.0.1.1 ", "Server host key: ", "Authenticated to 127.0.1.1 "];
    let plain = told(&[], "127.0.1.1");
    let (verbose, more) = (told(&["-v"], "127.0.1.1"), told(&["-vv"], "127.0.1.1"));
    for step in steps.map(|step| format!("hostlink: 127.0.1.1: {step}")) {
        assert!(!plain.contains(&step) && verbose.contains(&step), "{plain}{verbose}");
        assert_eq!(more.matches(&step).count(), 1, "{more}");
    }
    let beyond = "hostlink: 127.0.1.1: Remote protocol version 2.0";
    assert!(more.contains(beyond) && !verbose.contains(beyond), "{more}");
    let refused = told(&["-v"], REFUSES);
    let methods = format!("hostlink: {REFUSES}: Authentications that can continue: password\n");
    assert!(refused.contains(&methods), "{refused}");
}

#[test]
fn what_a_name_says_goes_before_what_is_said_of_all() {
    let scene = Scene::new();
    let port = scene.target.sshd.port();
    let user = scene.user.name();
    // The data for all hosts would lead nowhere.
    let wrong = ["--data", "ssh_user=nobody-there", "--data", "ssh_port=1"];
    let mut words = scene.words(&[], "", "id -un");
    let exec = words.split_off(words.len() - 4);
    let succeeds = |targets: &str| {
        let mut all = words.clone();
        all.extend(wrong.map(str::to_owned));
        all.push(targets.to_owned());
        all.extend(exec[1..].iter().cloned());
        let output = run(hostlink_tests::cli::hostlink(&all));
        assert_eq!(code(&output), 0, "{targets}: {}", stderr(&output));
    };
    succeeds(&format!("{user}@127.0.1.1:{port}"));
    succeeds(&format!("{user}@127.0.1.1:{port},ssh://{user}@127.0.1.2:{port}"));
    // One host of several says nothing of a port, so the flag is for that one.
    let port = port.to_string();
    let mut all = words.clone();
    all.extend(["--data", "ssh_port=1", "--port", &port].map(str::to_owned));
    all.push(format!("127.0.1.1,127.0.1.2:{port}"));
    all.extend(exec[1..].iter().cloned());
    let output = run(hostlink_tests::cli::hostlink(&all));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let name = format!("{user}@127.0.1.1");
    let output = run(hostlink_tests::cli::hostlink(["--user", "me", &name, "exec", "--", "true"]));
    let line = stderr(&output);
    assert_eq!(code(&output), 2, "{line}");
    assert!(line.contains("--ssh-user has no effect") && line.contains(&name), "{line}");
}

#[test]
fn batch_and_a_flag_that_asks_contradict_each_other() {
    for flag in ["--ssh-password-prompt", "--same-sudo-password", "--use-sudo-password"] {
        let words = ["--batch", "--sudo", flag, "@local", "exec", "--", "true"];
        let output = run(hostlink_tests::cli::hostlink(words));
        assert_eq!(code(&output), 2, "{flag}: {}", stderr(&output));
        assert!(stderr(&output).contains("--batch"), "{}", stderr(&output));
    }
}
