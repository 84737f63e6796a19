//! Where the command line takes passwords from, and the messages of tools that refuse one.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use hostlink::connect::SECRET_VARIABLES;
use hostlink_tests::cli::{code, hostlink, run, stderr, stdout};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::user::TestUser;

const PASSWORD: &str = "hunter 2;'\"$\\";

/// A user with a password, and the user's login.
struct Scene {
    user: TestUser,
    target: SshTarget,
    files: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let user = TestUser::create("/bin/sh");
        user.set_password(PASSWORD);
        let target = SshTarget::as_user(user.name(), Sshd::builder().passwords());
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("password"), format!("{PASSWORD}\nmore\n")).unwrap();
        fs::write(files.path().join("wrong"), "wrong\n").unwrap();
        Self { user, target, files }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// Runs `id -un` with these options, and a variable that contains the password.
    fn id(&self, options: &[&str], variable: &str) -> Output {
        let words = options.iter().map(|word| (*word).to_owned()).chain(self.target.words());
        let words = words.chain(["exec", "--", "id", "-un"].map(str::to_owned));
        let mut command = hostlink(words);
        command.env(variable, PASSWORD);
        run(command)
    }
}

#[test]
fn a_password_comes_from_wherever_it_is_said_to_be() {
    let scene = Scene::new();
    let _sudoer = Sudoer::with_password(scene.user.name());
    let file = scene.file("password");
    let data = [
        format!("_sudo_password_file={file}"),
        "_sudo_password_env=HL_MINE".to_owned(),
        format!("_sudo_password_command=cat '{file}'"),
        format!("_sudo_password={PASSWORD}"),
    ];
    let mut ways: Vec<(Vec<&str>, &str)> =
        data.iter().map(|pair| (vec!["--sudo", "--data", pair.as_str()], "HL_MINE")).collect();
    ways.push((vec!["--sudo", "--sudo-password-file", &file], "HL_NOT"));
    ways.push((vec!["--sudo"], "HOSTLINK_SUDO_PASSWORD"));
    for (options, variable) in ways {
        let output = scene.id(&options, variable);
        let errors = stderr(&output);
        assert_eq!((code(&output), &*stdout(&output)), (0, "root\n"), "{options:?}: {errors}");
        let is_plain = options.iter().any(|word| word.starts_with("_sudo_password="));
        let warned = errors.matches("every user of this machine").count();
        assert_eq!(warned, usize::from(is_plain), "{options:?}: {errors}");
        assert!(!errors.contains("hunter"), "{errors}");
    }
}

#[test]
fn no_child_inherits_a_password_and_a_failed_command_is_reported_without_it() {
    let scene = Scene::new();
    for name in SECRET_VARIABLES {
        let pair = format!("_su_password_command=env | grep -q hunter && echo {name}");
        let output = scene.id(&["--su-user", "root", "--data", &pair], name);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("the command failed"), "{}", stderr(&output));
        // The control: an ordinary variable is passed on.
        let pair = "_su_password_command=env | grep -q hunter && echo found";
        let output = scene.id(&["--su-user", "root", "--data", pair], "HL_MINE");
        assert_ne!(code(&output), 2, "{}", stderr(&output));
    }
}

#[test]
fn what_gives_a_password_twice_is_refused_before_anything_is_done() {
    let scene = Scene::new();
    let file = scene.file("password");
    let pairs = [format!("_sudo_password_file={file}"), "_sudo_password=x".to_owned()];
    for options in [
        &["--sudo", "--sudo-password-file", &file, "--use-sudo-password"][..],
        &["--ssh-password-file", &file, "--ssh-password-prompt"],
        &["--sudo", "--data", &pairs[0], "--data", &pairs[1]],
        &["--sudo", "--data", &pairs[0], "--use-sudo-password"],
        &["--sudo", "--sudo-password-file", &file, "--data", "_use_sudo_password=true"],
    ] {
        let output = scene.id(options, "HL_NOT");
        assert_eq!(code(&output), 2, "{options:?}: {}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(scene.target.sshd.logins(), 0);
}

#[test]
fn an_ssh_password_comes_from_a_file() {
    let scene = Scene::new();
    let mut words = vec!["--ssh-password-file".to_owned(), scene.file("password")];
    let data = scene.target.words();
    // Without a key, so that the password is used.
    for pair in data.chunks(2) {
        if !pair.iter().any(|word| word.starts_with("ssh_key=")) {
            words.extend_from_slice(pair);
        }
    }
    words.extend(["exec", "--", "id", "-un"].map(str::to_owned));
    let output = run(hostlink(words));
    let expected = format!("{}\n", scene.user.name());
    assert_eq!((code(&output), stdout(&output)), (0, expected), "{}", stderr(&output));
}

#[test]
fn a_refusal_is_reported_soon_in_the_tools_own_words() {
    let scene = Scene::new();
    let (right, wrong) = (scene.file("password"), scene.file("wrong"));
    let locked = TestUser::create("/bin/sh");
    let refused = |options: &[&str], says: &str| {
        let begun = Instant::now();
        let output = scene.id(options, "HL_NOT");
        let errors = stderr(&output);
        assert_eq!(code(&output), 1, "{options:?}: {errors}");
        assert!(errors.contains(says), "{options:?}: {errors}");
        assert!(!errors.contains("no proof"), "{options:?}: {errors}");
        let took = begun.elapsed();
        println!("{options:?}: {took:.1?}");
        // 5 s after the tool's answer, which PAM delays by up to 4.5 s, and a login.
        assert!(took < Duration::from_secs(12), "{options:?}: {took:?}");
    };
    refused(&["--sudo", "--sudo-password-file", &right], "is not in the sudoers file");
    refused(&["--su-user", locked.name(), "--su-password-file", &right], "Authentication failure");
    refused(&["--dzdo"], "dzdo");
    let _sudoer = Sudoer::with_password(scene.user.name());
    refused(&["--sudo", "--sudo-password-file", &wrong], "1 incorrect password attempt");
    refused(&["--sudo"], "a password is required");
    refused(&["--su-user", "root", "--su-password-file", &wrong], "Authentication failure");
}

#[test]
fn get_pty_serves_a_sudo_that_wants_a_terminal_for_commands_and_files() {
    let scene = Scene::new();
    let user = scene.user.name();
    let rules = format!("Defaults:{user} requiretty\n{user} ALL=(ALL:ALL) ALL");
    let _sudoer = Sudoer::allowed(&rules);
    let content: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    fs::write(scene.files.path().join("content"), &content).unwrap();
    let (file, password, there) =
        (scene.file("content"), scene.file("password"), scene.file("there"));
    let hostlink = |options: &[&str], words: &[&str]| {
        let options = [options, &["--sudo", "--sudo-password-file", &password]].concat();
        let options = options.into_iter().map(str::to_owned).chain(scene.target.words());
        run(hostlink(options.chain(words.iter().map(|word| (*word).to_owned()))))
    };
    for words in [&["exec", "--", "true"][..], &["put", &file, &there]] {
        let refused = hostlink(&[], words);
        assert_eq!(code(&refused), 1, "{}", stderr(&refused));
        assert!(stderr(&refused).contains("get_pty"), "{}", stderr(&refused));
    }
    for pty in [&["--get-pty"][..], &["--data", "_get_pty=true"]] {
        let echoed = hostlink(pty, &["exec", "--stdin", &file, "--", "id -un; cat"]);
        assert!(echoed.stdout == [b"root\n", &content[..]].concat(), "{}", stderr(&echoed));
        let put = hostlink(pty, &["put", "--mode", "600", &file, &there]);
        assert_eq!(code(&put), 0, "{}", stderr(&put));
        assert!(fs::read(&there).unwrap() == content);
        let got = hostlink(pty, &["get", &there, "-"]);
        assert!(got.stdout == content, "{}", stderr(&got));
        fs::remove_file(&there).unwrap();
    }
}

/// A host's data may contain it for the commands that use sudo.
#[test]
fn a_password_for_sudo_is_no_fault_of_a_command_without_it() {
    let words = ["--data", "_sudo_password_env=HL_MINE", "@local", "exec", "--", "echo ran"];
    let mut command = hostlink(words);
    command.env("HL_MINE", "hunter2");
    let output = run(command);
    assert_eq!((code(&output), stdout(&output)), (0, "ran\n".to_owned()), "{}", stderr(&output));
}
