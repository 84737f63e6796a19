//! No password, and no byte of a secret file, is visible to other users while a privileged command
//! or put is running.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use hostlink::connect::Prompter;
use hostlink::run::{EnvValue, TerminalSize};
use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{
    ConnectorArguments, Context, Data, ErrorKind, Link, Result, Secret, StringCommand, Value,
    builtin_registry,
};
use hostlink_tests::cli::{hostlink, wait_for_exit, wait_until};
use hostlink_tests::secret_search::{files_with, new_secret, processes_with};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::user::TestUser;
use tokio::io::AsyncWriteExt;

/// Returns where a tool might write something.
fn public_places(target: &SshTarget, user: &TestUser) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/log"].map(PathBuf::from).to_vec();
    places.extend([target.sshd.dir().to_owned(), user.home()]);
    places
}

struct Running {
    child: Child,
    file: PathBuf,
    since: SystemTime,
}

impl Running {
    /// Runs `hostlink` on the target, with a command that runs until the test ends it.
    fn start(target: &SshTarget, options: &[&str], variable: &str, password: &str) -> Self {
        // The clock of files lags a little (CLOCK_REALTIME_COARSE).
        let since = SystemTime::now() - Duration::from_secs(1);
        let file = std::env::temp_dir().join(format!("hostlink-mark-{}", new_secret()));
        fs::write(&file, "").unwrap();
        let begun = file.with_extension("begun");
        let (begins, lasts) = (begun.display(), file.display());
        let line = format!(": >{begins}; while [ -e {lasts} ]; do sleep 0.05; done; rm {begins}");
        let words = options.iter().map(|word| (*word).to_owned()).chain(target.words());
        let mut command = hostlink(words.chain(["exec".to_owned(), "--".to_owned(), line]));
        let child = command.env(variable, password).spawn().unwrap();
        // Before that, hostlink starts processes, which have its environment until they execute
        // another program.
        wait_until("the command runs", || begun.exists());
        Self { child, file, since }
    }

    /// Returns where the secrets are, apart from the environment that hostlink itself was started
    /// with.
    fn places_with(&self, secrets: &[String], roots: &[PathBuf]) -> Vec<PathBuf> {
        let own = format!("/proc/{}/environ", self.child.id());
        let mut found = processes_with(secrets);
        found.retain(|place| *place != Path::new(&own));
        let roots: Vec<&Path> = roots.iter().map(PathBuf::as_path).collect();
        found.extend(files_with(&roots, self.since, secrets));
        // One directory may be below another.
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Lets the command end, and returns when it was started.
    fn end(mut self) -> SystemTime {
        fs::remove_file(&self.file).unwrap();
        assert!(wait_for_exit(&mut self.child).success());
        self.since
    }
}

#[test]
fn no_password_is_seen_while_a_privileged_command_runs() {
    let [own, others] = [new_secret(), new_secret()];
    let (user, other) = (TestUser::create("/bin/sh"), TestUser::create("/bin/sh"));
    user.set_password(&own);
    other.set_password(&others);
    let _sudoer = Sudoer::with_password(user.name());
    let target = SshTarget::as_user(user.name(), Sshd::builder().config("LogLevel DEBUG3"));
    let (secrets, roots) = ([own.clone(), others.clone()], public_places(&target, &user));
    let to_other = ["--su-user", other.name()];
    for (options, variable, password) in [
        (&["--sudo"][..], "HOSTLINK_SUDO_PASSWORD", &own),
        (&to_other[..], "HOSTLINK_SU_PASSWORD", &others),
    ] {
        let running = Running::start(&target, options, variable, password);
        assert_eq!(running.places_with(&secrets, &roots), Vec::<PathBuf>::new(), "{options:?}");

        // The control: each kind of location is searched.
        let spawn = |command: &mut Command| command.stdin(Stdio::piped()).spawn().unwrap();
        let mut children = [
            spawn(Command::new("sh").args(["-c", "read -r x; :", &secrets[0]])),
            spawn(Command::new("sh").args(["-c", "read -r x; :"]).env("X", &secrets[1])),
        ];
        let mut planted = tempfile::NamedTempFile::new_in(user.home()).unwrap();
        write!(planted, "a{password}b").unwrap();
        let mut expected = vec![
            PathBuf::from(format!("/proc/{}/cmdline", children[0].id())),
            PathBuf::from(format!("/proc/{}/environ", children[1].id())),
            planted.path().to_owned(),
        ];
        expected.sort_unstable();
        wait_until("all is found", || running.places_with(&secrets, &roots) == expected);
        for child in &mut children {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        drop(planted);
        let since = running.end();
        let after: Vec<&Path> = roots.iter().map(PathBuf::as_path).collect();
        assert_eq!(files_with(&after, since, &secrets), Vec::<PathBuf>::new(), "nothing stays");
    }
}

#[test]
fn no_public_type_shows_a_secret() {
    let text = new_secret();
    let secret = || Secret::from(text.as_str());
    let arguments = ConnectorArguments::new()
        .with_sudo(true)
        .with_sudo_password(secret())
        .with_su_user("other")
        .with_su_password(secret())
        .with_doas(true)
        .with_doas_password(secret())
        .with_env([("KEY".to_owned(), EnvValue::Secret(secret()))]);
    let data = Data::new().with("_sudo_password", Value::Secret(secret()));
    let command = StringCommand::new().raw("printf").secret(secret());
    let put = PutOptions::default().with_arguments(arguments.clone());
    let get = GetOptions::default().with_arguments(arguments.clone());
    let line = hostlink::run::make_unix_command(&command, &arguments).unwrap();
    assert!(String::from_utf8_lossy(&line.get_raw_value()).contains(&text), "the control");
    for shown in [
        format!("{:?}", secret()),
        format!("{:?}", Value::Secret(secret())),
        Value::Secret(secret()).to_string(),
        format!("{data:?}"),
        format!("{arguments:?}"),
        format!("{command:?}"),
        format!("{line:?}"),
        line.get_masked_value(),
        format!("{put:?}"),
        format!("{get:?}"),
    ] {
        assert!(!shown.contains(&text), "{shown}");
        assert!(!shown.is_empty());
    }
}

/// Types a wrong password at every prompt.
#[derive(Debug, Default)]
struct Mistaken(AtomicUsize);

#[async_trait]
impl Prompter for Mistaken {
    async fn ask_secret(&self, _target: &str, _question: &str) -> Result<Secret> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::from("mistaken"))
    }
}

/// A link of a user whose sudo needs a password, and who types a wrong one.
struct Asked {
    link: Link,
    prompter: Arc<Mistaken>,
    /// Values that must live as long as the link.
    _kept: (SshTarget, Sudoer, TestUser),
}

impl Asked {
    async fn start() -> Self {
        let user = TestUser::create("/bin/sh");
        user.set_password(&new_secret());
        let sudoer = Sudoer::with_password(user.name());
        let target = SshTarget::as_user(user.name(), Sshd::builder());
        let prompter = Arc::new(Mistaken::default());
        let context = Context { prompter: prompter.clone(), ..Context::default() };
        let link = target.connect_in(&context).await.unwrap();
        Self { link, prompter, _kept: (target, sudoer, user) }
    }
}

/// Some accounts are locked after a few tries.
#[tokio::test]
async fn a_typed_password_that_is_refused_is_not_tried_again() {
    let Asked { link, prompter, .. } = &Asked::start().await;
    let (command, arguments) =
        (StringCommand::shell("true"), ConnectorArguments::new().with_sudo(true));
    for told in ["the password was not accepted", "was refused, and is not tried again"] {
        let error = link.run_shell_command(&command, &arguments).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Privilege);
        assert!(error.message().contains(told), "{error:?}");
    }
    assert_eq!(prompter.0.load(Ordering::Relaxed), 1);
    link.disconnect().await.unwrap();
}

/// A wrong password at a terminal is not tried again, neither there nor by commands.
#[tokio::test]
async fn a_typed_password_that_a_shell_was_refused_with_is_not_tried_again() {
    let Asked { link, prompter, .. } = &Asked::start().await;
    let (shell, arguments) = (StringCommand::login_shell(), ConnectorArguments::new());
    let arguments = arguments.with_sudo(true).with_use_sudo_password(true);
    for told in ["the password was not accepted", "was refused, and is not tried again"] {
        let opened = link.open_terminal(&shell, &arguments, TerminalSize::default()).await;
        let error = opened.expect_err("a wrong password opens no shell");
        assert_eq!(error.kind(), ErrorKind::Privilege);
        assert!(error.message().contains(told), "{error:?}");
    }
    let command = StringCommand::shell("true");
    let error = link.run_shell_command(&command, &arguments).await.unwrap_err();
    assert!(error.message().contains("is not tried again"), "{error:?}");
    assert_eq!(prompter.0.load(Ordering::Relaxed), 1);
    link.disconnect().await.unwrap();
}

/// A user who reads everything readable in a directory, again and again.
struct Poller {
    child: Child,
    seen: PathBuf,
    rounds: PathBuf,
}

impl Poller {
    fn start(user: &TestUser, directory: &Path) -> Self {
        let (seen, rounds) = (user.home().join("seen"), user.home().join("rounds"));
        let script = format!(
            "while :; do cat {0}/* {0}/.[!.]* >>{1} 2>/dev/null; echo x >>{2}; done",
            directory.display(),
            seen.display(),
            rounds.display()
        );
        let uid = user.uid().to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &uid, "--clear-groups", "sh", "-c", &script]);
        chown(user.home(), Some(user.uid()), None).unwrap();
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Self { child, seen, rounds }
    }

    fn rounds(&self) -> usize {
        fs::read(&self.rounds).unwrap_or_default().len()
    }

    /// Waits until the user has read a few times more.
    fn wait(&self) {
        let before = self.rounds();
        wait_until("the other user looks", || self.rounds() >= before + 10);
    }

    fn has_seen(&self, text: &str) -> bool {
        fs::read(&self.seen)
            .unwrap_or_default()
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file comes in pieces, and another user reads between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_user_reads_no_byte_of_a_secret_file_that_is_put_as_another() {
    let (owner, third) = (TestUser::create("/bin/sh"), TestUser::create("/bin/sh"));
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    chown(directory.path(), Some(owner.uid()), None).unwrap();
    let poller = Poller::start(&third, directory.path());
    let context = Context::default();
    let link = builtin_registry().connect("@local", &Data::new(), &context).await.unwrap();
    let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_user(owner.name());
    for (mode, may_see) in [(0o600, false), (0o644, true)] {
        let secret = new_secret();
        let path = directory.path().join(format!("file-{mode:o}"));
        let options = PutOptions::default().with_mode(mode).with_arguments(arguments.clone());
        let (mut writer, reader) = tokio::io::duplex(1 << 16);
        let put = link.put_file(Source::reader(reader), path.to_str().unwrap(), &options);
        let feed = async {
            for _ in 0..5 {
                // More than a pipe holds, so that a part has arrived.
                writer.write_all(secret.repeat(1 << 13).as_bytes()).await.unwrap();
                tokio::task::block_in_place(|| poller.wait());
                assert!(!poller.has_seen(&secret), "before the file is whole");
            }
            drop(writer);
        };
        let (done, ()) = tokio::join!(put, feed);
        assert_eq!(done.unwrap().bytes, 5 * (1 << 13) * 32);
        tokio::task::block_in_place(|| poller.wait());
        assert_eq!(poller.has_seen(&secret), may_see, "{mode:o}: 0644 is the control");
    }
    println!("the third user looked {} times", poller.rounds() / 2);
    link.disconnect().await.unwrap();
}
