//! Users whose start-up files are slow, print text, or try to steal the password of the user who
//! switches to them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use hostlink_tests::cli::{code, hostlink, run, stderr, stdout, wait_until};
use hostlink_tests::secret_search::new_secret;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::terminal::Terminal;
use hostlink_tests::user::TestUser;
use tempfile::TempDir;

/// A caller who may become root with a password, and another user to switch to.
struct Scene {
    _caller: TestUser,
    other: TestUser,
    password: String,
    others_password: String,
    target: SshTarget,
    _sudoer: Sudoer,
}

impl Scene {
    /// The caller may become any user by sudo with a password.
    fn new() -> Self {
        Self::with("", "")
    }

    /// Sets the tag before the commands for root, and for the other user: `NOPASSWD:`, or empty.
    fn with(root: &str, rule: &str) -> Self {
        Self::with_more(root, rule, "")
    }

    /// Also adds a line to sudoers(5), in which `CALLER` and `OTHER` are replaced by their names.
    fn with_more(root: &str, rule: &str, more: &str) -> Self {
        Self::with_shell("/bin/sh", root, rule, more)
    }

    /// Also sets the caller's login shell.
    fn with_shell(shell: &str, root: &str, rule: &str, more: &str) -> Self {
        let (caller, other) = (TestUser::create(shell), TestUser::create("/bin/bash"));
        let [password, others_password] = [new_secret(), new_secret()];
        caller.set_password(&password);
        other.set_password(&others_password);
        let line = format!(
            "{0} ALL=(root) {root} ALL\n{0} ALL=({1}) {rule} ALL\n{2}",
            caller.name(),
            other.name(),
            more.replace("CALLER", caller.name()).replace("OTHER", other.name()),
        );
        let sudoer = Sudoer::allowed(&line);
        let target = SshTarget::as_user(caller.name(), Sshd::builder());
        Self { _caller: caller, other, password, others_password, target, _sudoer: sudoer }
    }

    /// Sets the start-up file of the other user's login shell.
    fn profile(&self, lines: &str) {
        self.other.write(".bash_profile", 0o644, lines);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.other.home().join(name)
    }

    /// Runs `hostlink OPTIONS TARGET exec -- LINE`, which knows both passwords.
    fn exec(&self, options: &[&str], line: &str) -> Output {
        self.hostlink(options, &["exec", "--", line])
    }

    fn hostlink(&self, options: &[&str], action: &[&str]) -> Output {
        let words = options.iter().map(|word| (*word).to_owned()).chain(self.target.words());
        let mut command = hostlink(words.chain(action.iter().map(|word| (*word).to_owned())));
        command.env("HOSTLINK_SUDO_PASSWORD", &self.password);
        command.env("HOSTLINK_SU_PASSWORD", &self.others_password);
        run(command)
    }

    fn as_other<'a>(&'a self, way: &'a str) -> [&'a str; 4] {
        match way {
            "sudo" => ["--sudo", "--use-sudo-login", "--sudo-user", self.other.name()],
            "su inside sudo" => ["--sudo", "--use-su-login", "--su-user", self.other.name()],
            _ => ["--data", "x=y", "--su-user", self.other.name()],
        }
    }
}

/// Every user can read arguments. A user who finds sudo's prompt there could print it where sudo
/// itself does not prompt.
#[test]
fn who_asks_as_sudo_does_gets_no_password() {
    let login = ["--sudo", "--use-sudo-login"];
    for (root, rule, more, way) in [
        ("", "NOPASSWD:", "", "sudo"),
        ("NOPASSWD:", "", "", "su inside sudo"),
        // The login shell may be run without a password, other programs may not.
        ("", "", "CALLER ALL=(OTHER) NOPASSWD: /bin/bash", "sudo"),
        ("", "NOPASSWD:", "Defaults:CALLER runas_default=OTHER", "sudo to whomever"),
    ] {
        let noting = Noting::new();
        let scene = Scene::with_shell(&noting.shell(), root, rule, more);
        scene.profile(&format!(
            "for digits in $(sed 's/\\\\0[0-7][0-7][0-7]//g' {} | grep -oE 'H[P0-9][0-9a-f]{{32}}' | cut -c 3- | sort -u); do
                for token in HP$digits H0$digits H1$digits; do
                    printf '%s\\n' $token >&2; printf %s $token
                done
            done
            read -t 2 -r password; printf '%s\\n' \"$digits\" \"$password\" >stolen\n",
            noting.arguments().display(),
        ));
        let output = match way {
            "sudo to whomever" => scene.exec(&login, "id -un"),
            _ => scene.exec(&scene.as_other(way), "id -un"),
        };
        assert_eq!(code(&output), 0, "{way}, {more}: {}", stderr(&output));
        assert_eq!(stdout(&output).trim(), scene.other.name());
        let stolen = fs::read_to_string(scene.file("stolen")).unwrap();
        let (digits, password) = stolen.split_once('\n').unwrap();
        assert_eq!(digits.len(), 32, "{way}, {more}: no token is in the arguments");
        assert!(!password.contains(&scene.password), "{way}, {more}: {stolen}");
    }
}

/// A shell for the caller that records its arguments, which any user of the target can read.
/// Characters other than letters and digits are in octal there, and the token is in two pieces.
struct Noting(TempDir);

impl Noting {
    fn new() -> Self {
        let it = Self(tempfile::tempdir().unwrap());
        let arguments = it.arguments();
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >>{}\nexec /bin/sh \"$@\"\n",
            arguments.display()
        );
        fs::write(it.shell(), script).unwrap();
        fs::write(&arguments, "").unwrap();
        let modes =
            [(it.0.path().to_owned(), 0o755), (it.shell().into(), 0o755), (arguments, 0o666)];
        for (path, mode) in modes {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        it
    }

    fn shell(&self) -> String {
        self.0.path().join("sh").display().to_string()
    }

    fn arguments(&self) -> PathBuf {
        self.0.path().join("arguments")
    }
}

/// sudo prompts for a login shell, but not for other programs.
#[test]
fn a_password_is_given_where_the_very_command_wants_it() {
    let scene = Scene::with_more("", "", "CALLER ALL=(OTHER) NOPASSWD: /bin/sh, /usr/bin/sh");
    let output = scene.exec(&scene.as_other("sudo"), "id -un");
    assert_eq!(
        (code(&output), stdout(&output).trim()),
        (0, scene.other.name()),
        "{}",
        stderr(&output)
    );
}

/// If sudo itself prompts, it still gets its answer.
#[test]
fn sudo_gets_its_password_for_another_user() {
    let scene = Scene::new();
    scene.profile("echo noise\n");
    let output = scene.exec(&scene.as_other("sudo"), "id -un");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output).trim(), scene.other.name());
}

/// root is not prompted, so the password prepared for su is not read.
#[test]
fn an_unread_password_is_not_the_command_s_input() {
    let scene = Scene::new();
    scene.profile("printf 'Loading: ' >&2; sleep 1; echo done >&2\n");
    let mut input = tempfile::NamedTempFile::new().unwrap();
    write!(input, "in").unwrap();
    let input = input.path().to_str().unwrap();
    let words = ["--su-user", scene.other.name(), "--use-su-login", "--stdin", input, "@local"];
    let mut command = hostlink(words.into_iter().chain(["exec", "--", "cat"]));
    command.env("HOSTLINK_SU_PASSWORD", &scene.others_password);
    let output = run(command);
    assert_eq!((code(&output), stdout(&output)), (0, "in".into()), "{}", stderr(&output));
}

/// The login shell goes on for a while, and cannot be killed with privileges that were not yet
/// granted.
#[test]
fn a_command_that_is_given_up_before_it_starts_never_starts() {
    let scene = Scene::new();
    scene.profile("cd; echo begun >begun; sleep 4; echo over >over\n");
    let options = ["--su-user", scene.other.name(), "--use-su-login", "--timeout", "2"];
    let output = scene.exec(&options, "echo ran >ran; sleep 1; echo done >done");
    assert_eq!(code(&output), 124, "{}", stderr(&output));
    wait_until("the shell has begun", || scene.file("begun").exists());
    let is_there = |name: &str| scene.file(name).exists();
    let processes = || {
        let list =
            run(hostlink(["@local", "exec", "--", "ps", "-o", "pid=", "-u", scene.other.name()]));
        stdout(&list)
    };
    wait_until("it has ended", || processes().trim().is_empty());
    assert!(!is_there("ran"), "it was started");

    // The control: without a limit the command starts after the same shell.
    let output = scene.exec(&options[..3], "echo ran >ran");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(is_there("ran") && is_there("over"));
}

#[test]
fn a_prompt_without_an_answer_ends_the_command() {
    let scene = Scene::new();
    let words = ["--su-user", scene.other.name()].map(str::to_owned);
    let words = words.into_iter().chain(scene.target.words());
    let output = run(hostlink(words.chain(["exec", "--", "id"].map(str::to_owned))));
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("asks a question that has no answer here"), "{told}");
    assert!(told.contains("is a password required?: su: "), "{told}");
}

#[test]
fn a_shell_asks_for_the_password_that_sudo_wants() {
    let scene = Scene::new();
    let words = ["--sudo".to_owned()].into_iter().chain(scene.target.words());
    let words = words.chain(["shell", "--", "id", "-un"].map(str::to_owned));
    let terminal = Terminal::start(&hostlink_tests::binary(), words, &[]);
    terminal.wait_for("the password for sudo: ");
    terminal.type_in(&format!("{}\r", scene.password));
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    assert!(terminal.shown().contains("root"), "{:?}", terminal.shown());
    assert!(!terminal.shown().contains(&scene.password));
}

/// Input on a terminal ends only by a typed character.
#[test]
fn a_wrong_password_on_a_terminal_is_reported_in_sudo_s_words() {
    let mut scene = Scene::new();
    scene.password = new_secret();
    let output = scene.exec(&["--sudo", "--get-pty"], "id");
    let told = stderr(&output);
    assert_eq!(code(&output), 1, "{told}");
    assert!(told.contains("incorrect password attempt"), "{told}");
}

/// su does not prompt root, whatever the login shell prints. Input here goes through the terminal.
#[test]
fn an_unread_password_is_not_typed_into_the_command() {
    let scene = Scene::with("NOPASSWD:", "");
    scene.profile("printf 'Loading: ' >&2; sleep 1; echo done >&2\n");
    let bytes: Vec<u8> = (0..3000_u32).flat_map(u32::to_be_bytes).collect();
    fs::write(scene.file("in"), &bytes).unwrap();
    let input = scene.file("in").display().to_string();
    let pty = |line| {
        let mut options = vec!["--get-pty", "--stdin", &input];
        options.extend(scene.as_other("su inside sudo"));
        scene.exec(&options, line)
    };
    let output = pty("cat >copy; id -un");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read(scene.file("copy")).unwrap(), bytes);

    let mut options = vec!["--get-pty"];
    options.extend(scene.as_other("su inside sudo"));
    let output = scene.exec(&options, "cat | wc -c; stty -a");
    let told = stdout(&output);
    assert!(told.starts_with("0\r\n") && told.contains(" echo "), "{told}: {}", stderr(&output));

    let words = scene.as_other("su inside sudo").map(str::to_owned).into_iter();
    let words = words.chain(scene.target.words()).chain(["shell".to_owned()]);
    let variable = ("HOSTLINK_SU_PASSWORD", scene.others_password.as_str());
    let terminal = Terminal::start(&hostlink_tests::binary(), words, &[variable]);
    terminal.wait_for("done");
    terminal.type_in("echo $((20 + 3)); exit\r");
    assert_eq!(terminal.wait_for_status(), 0, "{:?}", terminal.shown());
    let shown = terminal.shown();
    assert!(shown.contains("23"), "the control: {shown:?}");
    assert!(!shown.contains(&scene.others_password), "{shown:?}");
    let history = fs::read_to_string(scene.file(".bash_history")).unwrap_or_default();
    assert!(!history.contains(&scene.others_password), "{history}");
}

#[test]
fn a_prompt_without_an_answer_ends_the_command_on_a_terminal_too() {
    let scene = Scene::new();
    let words = ["--su-user", scene.other.name(), "--get-pty"].map(str::to_owned);
    let words: Vec<String> = words.into_iter().chain(scene.target.words()).collect();
    let exec = |more: &[&str]| {
        let more = more.iter().map(|word| (*word).to_owned());
        run(hostlink(words.iter().cloned().chain(["exec".to_owned()]).chain(more)))
    };
    let output = exec(&["--", "id"]);
    let told = stderr(&output);
    assert_eq!(code(&output), 1, "{told}");
    assert!(told.contains("asks a question that has no answer here"), "{told}");
    let output = exec(&["--timeout", "2", "--", "id"]);
    assert_eq!(code(&output), 124, "{}", stderr(&output));
    let is_left = || {
        let all = run(hostlink(["@local", "exec", "--", "ps", "-e", "-o", "args="]));
        assert!(stdout(&all).contains("ps -e"), "the control");
        stdout(&all)
            .lines()
            .any(|line| line.starts_with("su ") && line.contains(scene.other.name()))
    };
    wait_until("no su is left", || !is_left());
}
