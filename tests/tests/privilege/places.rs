//! Targets that are set up for tools: users, rules, and what may delay or precede a tool's answer.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use hostlink::{ConnectorArguments, Context, Data, Link, builtin_registry};
use hostlink_tests::chroot::{Root, with_mounts};
use hostlink_tests::cli;
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::ssh_container::SshContainer;
use hostlink_tests::sudo_rs;

use crate::tools::{Asked, Entry, Tool, Users};

/// What is printed or delayed before a tool answers. Each tool meets each kind, on one connector or
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Noise {
    /// The tools speak German.
    Locale,
    /// PAM, and the start-up files of login shells, print something once the other user's session
    /// has started.
    Motd,
    /// The tool, or PAM before the prompt, prints text that ends with a colon.
    Lecture,
    /// PAM is slow to answer.
    SlowPam,
}

const NOISES: [Noise; 4] = [Noise::Locale, Noise::Motd, Noise::Lecture, Noise::SlowPam];

/// Passwords that are hard to quote.
pub(crate) const PASSWORDS: [&str; 3] = ["a b", ";'\"$\\", "pä55"];

/// Where a tool is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Ssh,
    Docker,
    Chroot,
    Local,
}

pub(crate) const PLACES: [Place; 4] = [Place::Ssh, Place::Docker, Place::Chroot, Place::Local];

impl Place {
    /// Returns the name in test names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssh => "ssh-with_docker",
            Self::Docker => "docker-with_docker",
            Self::Chroot => "chroot",
            Self::Local => "local-with_docker",
        }
    }
}

/// One cell of the matrix: a tool in a place, with noise and a password.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) tool: &'static Tool,
    pub(crate) place: Place,
    pub(crate) noise: Noise,
    pub(crate) password: &'static str,
}

impl Cell {
    /// Returns the cell of the tool and the place with these numbers.
    pub(crate) fn new(tool: (usize, &'static Tool), place: (usize, Place)) -> Self {
        let turn = tool.0 + place.0;
        Self {
            tool: tool.1,
            place: place.1,
            noise: NOISES[turn % NOISES.len()],
            password: PASSWORDS[turn % PASSWORDS.len()],
        }
    }

    /// Returns the arguments of a command in this cell.
    pub(crate) fn arguments(&self, users: &Users) -> ConnectorArguments {
        match self.place {
            Place::Chroot => self.tool.arguments_of_root(users, self.password),
            Place::Ssh | Place::Docker | Place::Local => self.tool.arguments(users, self.password),
        }
    }

    /// Returns the key of the target that it shares with other cells.
    fn key(&self) -> Key {
        Key {
            place: self.place,
            noise: self.noise,
            tool: self.tool.has_own_target.then_some(self.tool.name),
        }
    }

    /// Returns `NAME=VALUE` of the environment that a connection starts with.
    fn variables(&self) -> Option<&'static str> {
        (self.noise == Noise::Locale).then_some("LANG=de_DE.UTF-8")
    }
}

/// What cells that share a target have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    place: Place,
    noise: Noise,
    /// Only for a tool that needs its own target.
    tool: Option<&'static str>,
}

/// The targets of all cells. The first cell that needs one starts it. Dropping this value ends
/// them.
#[derive(Debug)]
pub(crate) struct Targets {
    cells: Vec<Cell>,
    started: Mutex<HashMap<Key, Arc<OnceLock<Target>>>>,
}

impl Targets {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self { cells, started: Mutex::default() }
    }

    /// Runs `work` with the target of a cell.
    pub(crate) fn with<T>(&self, cell: &Cell, work: impl FnOnce(&Target) -> T) -> T {
        let key = cell.key();
        let target = self.started.lock().unwrap().entry(key).or_default().clone();
        work(target.get_or_init(|| self.start(key)))
    }

    fn start(&self, key: Key) -> Target {
        let cells = self.cells.iter().enumerate().filter(|(_, cell)| cell.key() == key);
        let cells: Vec<_> = cells.map(|(number, cell)| (Users::of(number), cell)).collect();
        let target = Target::start(cells[0].1);
        let script: String = cells.iter().map(|(users, cell)| set_up(users, cell)).collect();
        let passwords: String = cells.iter().map(|(users, cell)| passwords(users, cell)).collect();
        let noise = format!("{:?}", key.noise);
        let words = ["sh", "-eu", "-c", SETUP, "sh", &noise, &script];
        target.run(words, &format!("{passwords}\n"));
        target
    }
}

/// A target that lives as long as this value.
#[derive(Debug)]
pub(crate) enum Target {
    Container(Container),
    Server(SshContainer),
    Root(Root),
}

impl Target {
    fn start(cell: &Cell) -> Self {
        let variable = cell.variables().map(|variable| format!("--env={variable}"));
        let sudo_rs = format!("--volume={}:/opt/sudo-rs:ro", sudo_rs::DIRECTORY);
        let program = std::env::current_exe().expect("a test has a path");
        let program = format!("--volume={}:/cell:ro", program.display());
        let mut options: Vec<&str> = variable.as_deref().into_iter().collect();
        options.push(&sudo_rs);
        match cell.place {
            Place::Chroot => Self::Root(root(cell)),
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
        }
    }

    /// Opens a link to it, as the caller of a cell.
    pub(crate) async fn connect(&self, users: &Users) -> Link {
        let (name, data) = self.address(users);
        let link = builtin_registry().connect(&name, &data, &Context::default()).await;
        link.unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    /// Returns the target's name and data for a link.
    fn address(&self, users: &Users) -> (String, Data) {
        match self {
            Self::Container(container) => {
                let data = Data::new().with("docker_user", &*users.caller);
                (format!("@docker/{}", container.name()), data)
            }
            Self::Server(server) => (server.address().ip().to_string(), server.data(&users.caller)),
            // sudo's use_pty takes terminals from /dev/pts.
            Self::Root(root) => (root.target(), with_mounts()),
        }
    }

    /// Runs a program in it as root.
    fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>, input: &str) {
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
    }

    /// Runs the program of this test in the container, as the caller.
    pub(crate) fn run_cell(&self, users: &Users, words: &[&str]) -> std::process::Output {
        let Self::Container(container) = self else { panic!("only a container has it") };
        let caller = &*users.caller;
        let uid = ["setpriv", "--reuid", caller, "--regid", caller, "--init-groups", "/cell"];
        cli::run(container.command(uid.iter().chain(words)))
    }
}

fn root(cell: &Cell) -> Root {
    let root = Root::debian();
    if cell.tool.setup.contains("sudo-rs") {
        let from = Path::new(sudo_rs::DIRECTORY).join("bin/sudo");
        std::fs::create_dir_all(root.path("/opt/sudo-rs/bin")).expect("the root is ours");
        std::fs::copy(from, root.path("/opt/sudo-rs/bin/sudo")).expect("it is provisioned");
    }
    root
}

/// Returns the lines that a cell adds to the setup script of its target.
fn set_up(users: &Users, cell: &Cell) -> String {
    let Users { caller, other, service } = users;
    let user = users.name(cell.tool.rights_of);
    let directory = directory_of(users);
    let sudoers = users.fill(cell.tool.sudoers);
    let setup = users.fill(cell.tool.setup);
    format!(
        "add {caller} /bin/bash; add {other} /bin/bash; add {service} /usr/sbin/nologin\n\
         mkdir -m 700 {directory}; chown {user}: {directory}\n\
         cat >>/etc/sudoers.d/matrix <<'EOT'\n{sudoers}\nEOT\n\
         doas_rule 'permit nopass' root {caller}\n{setup}\n"
    )
}

/// Returns the directory that only a cell's user may write to.
pub(crate) fn directory_of(users: &Users) -> String {
    format!("/srv/of-{}", users.caller)
}

/// Returns lines for chpasswd(8).
fn passwords(users: &Users, cell: &Cell) -> String {
    let Users { caller, other, service } = users;
    let password = cell.password;
    match cell.tool.asked {
        Asked::Nobody => String::new(),
        // A prompt asks root where the caller is root.
        Asked::Caller if cell.place == Place::Chroot && cell.tool.entry == Entry::Root => {
            format!("root:{password}\n")
        }
        Asked::Caller => format!("{caller}:{password}\n"),
        Asked::Other => format!("{other}:{password}\n{service}:{password}\n"),
    }
}

/// Sets a target up. The arguments are the noise, and lines of all cells; passwords come on
/// standard input.
const SETUP: &str = r#"
passwords=$(cat)
# Numbers that no user of this machine has: a test that removes one kills all processes of the number.
id=70000
add() { id=$((id+1)); useradd -u $id -m -s "$2" -p '*' "$1"; }
say=
[ "$1" != Locale ] || say='setenv { LANG=de_DE.UTF-8 } '
# The words, who may, as whom. Only root is told to speak German.
doas_rule() {
case $2 in root) printf '%s %s%s as %s\n' "$1" "$say" "$2" "$3";; *) printf '%s %s as %s\n' "$@";; esac >>/etc/doas.conf; }
printf '%s\n' 'Defaults !use_pty' >/etc/sudoers.d/matrix
: >/etc/doas.conf
eval "$2"
# Without PAM, whose stronger hash takes ten times as long.
[ -z "$passwords" ] || printf '%s\n' "$passwords" | chpasswd -c SHA512 -s 1000
services='sudo sudo-i su su-l doas'
first() { for it in $services; do [ ! -f /etc/pam.d/$it ] || sed -i "1i $1" /etc/pam.d/$it; done; }
case $1 in
Locale) echo LANG=de_DE.UTF-8 >/etc/sudo.env
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
