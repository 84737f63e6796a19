//! Targets that are set up for one tool: users, rules, and what may come between a tool and its answer.

use std::path::Path;

use hostlink::{ConnectorArguments, Context, Data, Link, builtin_registry};
use hostlink_tests::chroot::{Root, with_mounts};
use hostlink_tests::cli;
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::ssh_container::SshContainer;
use hostlink_tests::sudo_rs;

use crate::tools::{Asked, CALLER, OTHER, SERVICE, Tool};

/// What is said and done on the way to a tool's answer. Each tool meets each of them, on one connector or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noise {
    /// The tools speak German.
    Locale,
    /// PAM, and the start-up files of login shells, say something once the other user's session has begun.
    Motd,
    /// The tool, or PAM before it asks, says something that has a colon at its end.
    Lecture,
    /// PAM takes its time to answer.
    SlowPam,
}

const NOISES: [Noise; 4] = [Noise::Locale, Noise::Motd, Noise::Lecture, Noise::SlowPam];

/// The passwords that are hard to hand on.
pub(crate) const PASSWORDS: [&str; 3] = ["a b", ";'\"$\\", "pä55"];

/// Where a tool is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Ssh,
    Docker,
    Chroot,
    Local,
}

pub(crate) const PLACES: [Place; 4] = [Place::Ssh, Place::Docker, Place::Chroot, Place::Local];

impl Place {
    /// What its tests are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssh => "ssh-with_docker",
            Self::Docker => "docker-with_docker",
            Self::Chroot => "chroot",
            Self::Local => "local-with_docker",
        }
    }
}

/// One cell of the matrix: a tool in a place, with the noise and the password that it meets there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) tool: &'static Tool,
    pub(crate) place: Place,
    pub(crate) noise: Noise,
    pub(crate) password: &'static str,
}

impl Cell {
    /// The cell of the tool and the place with these numbers.
    pub(crate) fn new(tool: (usize, &'static Tool), place: (usize, Place)) -> Self {
        let turn = tool.0 + place.0;
        Self {
            tool: tool.1,
            place: place.1,
            noise: NOISES[turn % NOISES.len()],
            password: PASSWORDS[turn % PASSWORDS.len()],
        }
    }

    /// What a command asks for here.
    pub(crate) fn arguments(&self) -> ConnectorArguments {
        match self.place {
            Place::Chroot => self.tool.arguments_of_root(self.password),
            Place::Ssh | Place::Docker | Place::Local => self.tool.arguments(self.password),
        }
    }

    /// Makes it, and opens a link to it. For `@local`, a program of ours has to be run in it.
    pub(crate) async fn open(&self) -> (Target, Link) {
        let target = Target::of(self);
        let (name, data) = target.address();
        let link = builtin_registry().connect(&name, &data, &Context::default()).await;
        let link = link.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        (target, link)
    }

    /// `NAME=VALUE` of the environment that a connection begins with.
    fn variables(&self) -> Option<&'static str> {
        (self.noise == Noise::Locale).then_some("LANG=de_DE.UTF-8")
    }
}

/// A target that lasts as long as this value.
#[derive(Debug)]
pub(crate) enum Target {
    Container(Container),
    Server(SshContainer),
    Root(Root),
}

impl Target {
    fn of(cell: &Cell) -> Self {
        let variable = cell.variables().map(|variable| format!("--env={variable}"));
        let sudo_rs = format!("--volume={}:/opt/sudo-rs:ro", sudo_rs::DIRECTORY);
        let program = std::env::current_exe().expect("a test has a path");
        let program = format!("--volume={}:/cell:ro", program.display());
        let mut options: Vec<&str> = variable.as_deref().into_iter().collect();
        options.push(&sudo_rs);
        let target = match cell.place {
            Place::Chroot => Self::Root(Root::debian()),
            Place::Docker => Self::Container(Container::start_with(DEBIAN, &options)),
            Place::Local => {
                options.push(&program);
                Self::Container(Container::start_with(DEBIAN, &options))
            }
            Place::Ssh => {
                let settings = cell.variables().map(|variable| format!("SetEnv {variable}"));
                let settings = settings.unwrap_or_default();
                Self::Server(SshContainer::start_with(&settings, &options))
            }
        };
        if let Self::Root(root) = &target
            && cell.tool.setup.contains("sudo-rs")
        {
            let from = Path::new(sudo_rs::DIRECTORY).join("bin/sudo");
            std::fs::create_dir_all(root.path("/opt/sudo-rs/bin")).expect("the root is ours");
            std::fs::copy(from, root.path("/opt/sudo-rs/bin/sudo")).expect("it is provisioned");
        }
        let words = ["sh", "-eu", "-c", SETUP, "sh"];
        let given = [cell.tool.sudoers, cell.tool.setup, &format!("{:?}", cell.noise)];
        target.run(words.into_iter().chain(given), &passwords(cell));
        target
    }

    /// Where the link goes.
    fn address(&self) -> (String, Data) {
        match self {
            Self::Container(container) => {
                let data = Data::new().with("docker_user", CALLER);
                (format!("@docker/{}", container.name()), data)
            }
            Self::Server(server) => (server.address().ip().to_string(), server.data(CALLER)),
            // sudo's use_pty takes terminals from /dev/pts.
            Self::Root(root) => (root.target(), with_mounts()),
        }
    }

    /// Runs a program in it as root.
    pub(crate) fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>, input: &str) -> String {
        let command = match self {
            Self::Container(container) => container.command(words),
            Self::Server(server) => server.container().command(words),
            Self::Root(root) => {
                let mut command = cli::command(Path::new("chroot"), [root.dir()]);
                command.args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
                command
            }
        };
        let text = format!("{command:?}");
        let output = cli::run_with_input(command, input.as_bytes());
        assert_eq!(cli::code(&output), 0, "{text}: {}", cli::stderr(&output));
        cli::stdout(&output)
    }

    /// The program of this test, in the container, as the caller.
    pub(crate) fn run_cell(&self, words: &[&str]) -> std::process::Output {
        let Self::Container(container) = self else { panic!("only a container has it") };
        let uid = ["setpriv", "--reuid", CALLER, "--regid", CALLER, "--init-groups", "/cell"];
        cli::run(container.command(uid.iter().chain(words)))
    }
}

/// Lines for chpasswd(8).
fn passwords(cell: &Cell) -> String {
    let password = cell.password;
    match cell.tool.asked {
        Asked::Nobody => "\n".to_owned(),
        // Root is asked where the caller is root.
        Asked::Caller => format!("{CALLER}:{password}\nroot:{password}\n"),
        Asked::Other => format!("{OTHER}:{password}\n{SERVICE}:{password}\n"),
    }
}

/// Sets a target up. The arguments are lines for sudoers, more to do, and the noise; passwords come by standard input.
const SETUP: &str = r#"
# Numbers that no user of this machine has: a test that removes one kills all processes of the number.
useradd -u 70001 -m -s /bin/bash -p '*' caller
useradd -u 70002 -m -s /bin/bash -p '*' other
useradd -u 70003 -m -s /usr/sbin/nologin -p '*' service
# Without PAM, whose stronger hash takes ten times as long.
passwords=$(cat)
[ -z "$passwords" ] || printf '%s\n' "$passwords" | chpasswd -c SHA512 -s 1000
mkdir -m 700 /srv/root /srv/other /srv/service
for user in other service; do chown $user:$user /srv/$user; done
printf '%s\n' 'Defaults !use_pty' "$1" >/etc/sudoers.d/matrix
printf '%s\n' 'permit nopass root as caller' >/etc/doas.conf
eval "$2"
services='sudo sudo-i su su-l doas'
first() { for it in $services; do [ ! -f /etc/pam.d/$it ] || sed -i "1i $1" /etc/pam.d/$it; done; }
case $3 in
Locale) sed -i 's/nopass root/nopass setenv { LANG=de_DE.UTF-8 } root/' /etc/doas.conf
    echo LANG=de_DE.UTF-8 >/etc/sudo.env
    # Only what is not there already is taken from a file.
    printf '%s\n' 'Defaults env_check-="LANG LC_ALL"' 'Defaults env_keep-="LANG LC_ALL"' \
        'Defaults env_file=/etc/sudo.env' >>/etc/sudoers.d/matrix ;;
Motd) printf 'Welcome.\nToday: nothing\n' >/etc/hl-motd
    printf 'echo Hello.; echo Attention: >&2\n' >/etc/profile.d/hl-motd.sh
    services='sudo su su-l' # See LEFT_OUT.
    first 'session optional pam_motd.so motd=/etc/hl-motd' ;;
Lecture) printf 'Respect privacy. Remember:\n' >/etc/hl-lecture
    echo 'Defaults lecture=always' >>/etc/sudoers.d/matrix
    services='sudo sudo-i su su-l' # See LEFT_OUT.
    first 'auth optional pam_echo.so file=/etc/hl-lecture' ;;
SlowPam) first 'auth optional pam_exec.so quiet /bin/sleep 0.4' ;;
esac
chmod 440 /etc/sudoers.d/matrix
visudo --check --quiet
doas -C /etc/doas.conf
"#;
