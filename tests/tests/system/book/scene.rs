//! The machine that the book's examples are typed at: the user `deploy`, who may use sudo, and the
//! hosts `web1`, `web2` and `db1` of `~/.ssh/config`, which are an sshd on loopback.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use hostlink_tests::cli::{run, stderr, stdout};
use hostlink_tests::keys::{KeyType, Keys};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::user::TestUser;

use super::page::{self, Step};

/// The line that comes before what a command writes.
const MARK: &str = "--- the next example ---";

/// The user, and what the user reaches. All of it ends with this value.
pub(crate) struct Scene {
    user: TestUser,
    /// What the book calls something, and what it is called on this machine.
    names: Vec<(&'static str, String)>,
    _kept: (Sshd, Sudoer),
}

impl Scene {
    pub(crate) fn start() -> Self {
        let (user, sshd) = (TestUser::create("/bin/bash"), Sshd::builder().start());
        // The last line of sudoers(5) that fits counts: as nobody, sudo asks for the password.
        let all =
            format!("{0} ALL=(ALL:ALL) NOPASSWD: ALL\n{0} ALL=(nobody) PASSWD: ALL", user.name());
        let sudoer = Sudoer::allowed(&all);
        user.set_password("correct horse");
        log_in(&user, &sshd);
        install(&user);
        let home = user.home().display().to_string();
        let names = vec![("/home/deploy", home), ("deploy", user.name().to_owned())];
        Self { user, names, _kept: (sshd, sudoer) }
    }

    /// Has the examples call something by a name of theirs, which no other word of theirs contains.
    pub(crate) fn call(&mut self, shown: &'static str, real: &str) {
        self.names.push((shown, real.to_owned()));
    }

    pub(crate) fn user(&self) -> &TestUser {
        &self.user
    }

    /// Types the examples of a page, one after the other, at one shell; returns what appeared after
    /// each.
    pub(crate) fn type_in(&self, steps: &[Step]) -> Vec<Vec<String>> {
        let real = |text: &str| {
            self.names.iter().fold(text.to_owned(), |text, (shown, real)| text.replace(shown, real))
        };
        let script = steps.iter().map(|step| real(&typed(step))).collect::<String>();
        self.user.write(".examples", 0o600, &format!("exec 2>&1\ncd\nstatus=0\n{script}"));
        let output = run(self.shell());
        assert_eq!(stderr(&output), "", "the shell itself");
        let text = self
            .names
            .iter()
            .fold(stdout(&output), |text, (shown, real)| text.replace(real, shown));
        let separator = format!("\n{MARK}\n");
        let parts = text.split(&separator).skip(1);
        parts.map(|part| part.lines().map(str::to_owned).collect()).collect()
    }

    fn shell(&self) -> Command {
        let (home, name) = (self.user.home(), self.user.name());
        let mut command = Command::new("setpriv");
        command.args(["--reuid", name, "--regid", name, "--init-groups", "timeout", "300", "sh"]);
        command.arg(home.join(".examples")).current_dir(&home).env_clear();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", home.join(".local/bin").display());
        command.envs([("PATH", path), ("HOME", home.display().to_string())]);
        command.stdin(std::process::Stdio::null());
        command
    }
}

/// A step, as lines of shell that tell where its output begins, and keep `$?` for the next one.
fn typed(step: &Step) -> String {
    match step {
        Step::File { name, text } => {
            let mode = if text.starts_with("#!") { "755" } else { "644" };
            format!(
                "mkdir -p \"$(dirname {name})\"\ncat >{name} <<'{MARK}'\n{text}{MARK}\nchmod {mode} {name}\n"
            )
        }
        Step::Command(page::Command { text, .. }) => {
            format!("printf '\\n%s\\n' '{MARK}'\n(exit $status)\n{text}\nstatus=$?\n")
        }
    }
}

/// A key of the user's, and a configuration of ssh that names the hosts.
fn log_in(user: &TestUser, sshd: &Sshd) {
    let key = Keys::new().make(KeyType::Ed25519);
    sshd.authorize(&key.public());
    // It makes the directory.
    user.authorize(&key.public());
    let private = fs::read_to_string(key.path()).unwrap();
    user.write(".ssh/servers", 0o600, &private);
    let known = format!("UserKnownHostsFile {}", sshd.known_hosts().display());
    let other = format!("[{}]:{} {}\n", sshd.address(), sshd.port(), key.public());
    user.write(".ssh/other_hosts", 0o600, &other);
    let server = format!("HostName {}\n  Port {}", sshd.address(), sshd.port());
    let hosts = [
        ("web1 web2 db1", format!("{server}\n  IdentityFile ~/.ssh/servers")),
        ("stranger", server.clone()),
        ("unknown", format!("{server}\n  UserKnownHostsFile none\n  StrictHostKeyChecking yes")),
        ("reinstalled", format!("{server}\n  UserKnownHostsFile ~/.ssh/other_hosts")),
        ("down", "HostName 127.0.0.1\n  Port 1".to_owned()),
        ("*", known),
    ];
    let config = hosts.map(|(names, settings)| format!("Host {names}\n  {settings}\n"));
    user.write(".ssh/config", 0o600, &config.concat());
}

/// The command, where the user finds it: the directory that it was built in may be closed.
fn install(user: &TestUser) {
    let bin = user.home().join(".local/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy(hostlink_tests::binary(), bin.join("hostlink")).unwrap();
    fs::set_permissions(bin.join("hostlink"), Permissions::from_mode(0o755)).unwrap();
}
