//! sudo's password, typed at a terminal because sudo asks for one and none was configured.

use hostlink_tests::cli::{code, command, run, stderr};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::terminal::Terminal;
use hostlink_tests::user::TestUser;

const PASSWORD: &str = "correct horse";
const QUESTION: &str = "the password for sudo: ";

/// Any number of hosts, which are one server, and a user who may use sudo with a password.
struct Scene {
    target: SshTarget,
    _user: (TestUser, Sudoer),
    _known: tempfile::NamedTempFile,
}

impl Scene {
    fn new() -> Self {
        let user = TestUser::create("/bin/sh");
        user.set_password(PASSWORD);
        let sudoer = Sudoer::with_password(user.name());
        let builder = Sshd::builder().listen("0.0.0.0").max_startups("1000");
        let known = tempfile::NamedTempFile::new().unwrap();
        let target = SshTarget::as_user(user.name(), builder)
            .with("ssh_known_hosts_file", known.path().display().to_string())
            .with("ssh_strict_host_key_checking", "accept-new");
        Self { target, _user: (user, sudoer), _known: known }
    }

    fn words(&self, options: &[&str], hosts: usize) -> Vec<String> {
        let names: Vec<String> = (1..=hosts).map(|number| format!("127.0.1.{number}")).collect();
        let mut words: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        words.extend(self.target.words());
        words.pop();
        words.push(names.join(","));
        words.extend(["exec", "--", "id -un; cat /dev/null"].map(str::to_owned));
        words
    }

    fn on_terminal(&self, options: &[&str], hosts: usize) -> Terminal {
        Terminal::start(&hostlink_tests::binary(), self.words(options, hosts), &[])
    }
}

#[test]
fn three_hosts_ask_in_turn_and_name_themselves() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["--sudo", "--use-sudo-password"], 3);
    for count in 1..=3 {
        let shown = terminal.wait_for_count(QUESTION, count);
        assert_eq!(shown.matches(QUESTION).count(), count, "{shown:?}");
        terminal.type_in(&format!("{PASSWORD}\r"));
    }
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    let shown = terminal.shown();
    for number in 1..=3 {
        let asked = format!("hostlink: 127.0.1.{number}: {QUESTION}");
        assert_eq!(shown.matches(&asked).count(), 1, "{shown:?}");
    }
    assert_eq!(shown.matches("root").count(), 3, "{shown:?}");
    assert!(!shown.contains("horse"), "{shown:?}");
}

#[test]
fn several_hosts_are_not_asked_unless_a_flag_says_so() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["--sudo"], 2);
    assert_eq!(terminal.wait_for_status(), 1, "{:?}", terminal.shown());
    let shown = terminal.shown();
    assert!(shown.contains("--same-sudo-password asks once"), "{shown:?}");
    assert!(!shown.contains(QUESTION), "{shown:?}");
}

#[test]
fn one_host_is_asked_when_sudo_wants_a_password() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["--sudo"], 1);
    terminal.wait_for(QUESTION);
    terminal.type_in(&format!("{PASSWORD}\r"));
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    assert!(!terminal.shown().contains("horse"), "{:?}", terminal.shown());
}

/// sudo would otherwise use the variable's password.
#[test]
fn the_option_to_prompt_overrides_a_password_of_the_environment() {
    let scene = Scene::new();
    for (typed, status) in [(PASSWORD, 0), ("wrong", 1)] {
        let words = scene.words(&["--sudo", "--use-sudo-password"], 1);
        let variables = [("HOSTLINK_SUDO_PASSWORD", if status == 0 { "wrong" } else { PASSWORD })];
        let terminal = Terminal::start(&hostlink_tests::binary(), words, &variables);
        terminal.wait_for(QUESTION);
        terminal.type_in(&format!("{typed}\r"));
        assert_eq!(terminal.wait_for_status(), status, "{:?}", terminal.shown());
    }
}

#[test]
fn a_hundred_hosts_ask_once_if_they_have_one_password() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["--sudo", "--same-sudo-password"], 100);
    terminal.wait_for(&format!("hostlink: all targets: {QUESTION}"));
    terminal.type_in(&format!("{PASSWORD}\r"));
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    let shown = terminal.shown();
    assert_eq!(shown.matches(QUESTION).count(), 1, "{shown:?}");
    assert_eq!(shown.matches("root").count(), 100, "{shown:?}");
}

#[test]
fn a_password_for_one_host_is_not_sent_to_another() {
    let scene = Scene::new();
    let terminal = scene.on_terminal(&["--sudo", "--use-sudo-password"], 2);
    terminal.wait_for_count(QUESTION, 1);
    terminal.type_in(&format!("{PASSWORD}\r"));
    terminal.wait_for_count(QUESTION, 2);
    terminal.type_in("wrong\r");
    assert_eq!(terminal.wait_for_status(), 1, "{:?}", terminal.shown());
    let shown = terminal.shown();
    assert_eq!(shown.matches("root").count(), 1, "{shown:?}");
    assert_eq!(shown.matches("1 incorrect password attempt").count(), 1, "{shown:?}");
}

#[test]
fn without_a_terminal_the_error_says_what_was_wanted() {
    let scene = Scene::new();
    let words = scene.words(&["--sudo"], 1);
    let mut detached = command(std::path::Path::new("setsid"), ["-w"]);
    detached.arg(hostlink_tests::binary()).args(words);
    let output = run(detached);
    let line = stderr(&output);
    assert_eq!(code(&output), 1, "{line}");
    let wanted = line.contains("the password for sudo is required, and there is no terminal");
    assert!(wanted && line.contains("a password is required"), "{line}");
}
