//! What a command line may look like.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};
use hostlink::Context;

use crate::{flags, login};

pub(crate) const TARGETS: &str = "TARGETS";
pub(crate) const COMMAND: &str = "COMMAND";
pub(crate) const SRC: &str = "SRC";
pub(crate) const DEST: &str = "DEST";
pub(crate) const FLAGS: &str = "FLAGS";
pub(crate) const NAME: &str = "NAME";
pub(crate) const DATA: &str = "data";
pub(crate) const JSON: &str = "json";
pub(crate) const VERBOSE: &str = "verbose";
pub(crate) const PARALLEL: &str = "parallel";
pub(crate) const SAME_SUDO_PASSWORD: &str = "same-sudo-password";
pub(crate) const CONNECT_TIMEOUT: &str = "connect-timeout";
pub(crate) const RECURSIVE: &str = "recursive";
pub(crate) const MODE: &str = "mode";
pub(crate) const PRESERVE: &str = "preserve";
pub(crate) const FOLLOW: &str = "follow";
pub(crate) const LOCAL: &str = "local";
pub(crate) const REMOTE: &str = "remote";
pub(crate) const DYNAMIC: &str = "dynamic";
pub(crate) const LIMIT: &str = "limit";
pub(crate) const EXCLUDE: &str = "exclude";
pub(crate) const GROUP_DATA: &str = "group-data";
pub(crate) const TRUST_DATA: &str = "trust-data";
pub(crate) const GRAPH: &str = "graph";
pub(crate) const SHELL: &str = "SHELL";

/// Whose scripts there are.
pub(crate) const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// First words that never are a target; a host of such a name is written `@ssh/schema`.
pub(crate) const RESERVED: [&str; 4] = ["connectors", "schema", "completions", "help"];

/// The whole grammar.
pub(crate) fn command() -> Command {
    let targets = Arg::new(TARGETS)
        .help("Hosts and inventories, separated by commas: web[01-50], @connector/name, hosts.yaml, ./dir");
    Command::new("hostlink")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Run commands and move files on any target")
        .override_usage(
            "hostlink [OPTIONS] TARGETS exec -- COMMAND…\n       \
             hostlink [OPTIONS] TARGETS put [-r] SRC DEST\n       \
             hostlink [OPTIONS] TARGETS get [-r] SRC DEST\n       \
             hostlink [OPTIONS] TARGET rsync SRC DEST -- FLAGS…\n       \
             hostlink [OPTIONS] TARGET shell [-- COMMAND…]\n       \
             hostlink [OPTIONS] TARGET forward [-L SPEC] [-R SPEC] [-D SPEC]\n       \
             hostlink [OPTIONS] TARGETS inventory [--graph]\n       \
             hostlink connectors [NAME]\n       \
             hostlink schema inventory\n       \
             hostlink completions SHELL",
        )
        .after_help(EXIT_STATUS)
        .arg(targets)
        .args(general())
        .args(flags::of_commands())
        .subcommand(exec())
        .subcommand(put())
        .subcommand(get())
        .subcommand(rsync())
        .subcommand(shell())
        .subcommand(forward())
        .subcommand(inventory())
        .subcommand(connectors())
        .subcommand(schema())
        .subcommand(completions())
}

const EXIT_STATUS: &str = "\
Exit status, one target: the command's own, 128+n if signal n ended it; 124 for a time-out; \
255 if there was no login, the link failed, or ~. ended it; 1 if a file did not arrive, a container is not there, \
another user's rights were not given, or the connection did not end well.
Several targets: 0 if all succeeded, 1 if some failed.
Always: 2 for wrong usage, 130, 143 and 129 for SIGINT, SIGTERM and SIGHUP, 141 if nobody reads the output.

DURATION is a number of seconds, or a number with ms, s, m or h.";

const WORDS: &str = "\
One word is a line for the target's shell: exec -- 'ls *.log | wc -l'
Several words are one command, and arrive as they are: exec -- ls '*.log'
The command's standard input is empty unless --stdin says otherwise.";

fn exec() -> Command {
    Command::new("exec")
        .about("Run a command")
        .override_usage("hostlink [OPTIONS] TARGETS exec [OPTIONS] -- COMMAND…")
        .after_help(WORDS)
        .arg(words())
        .args(general())
        .args(flags::of_commands())
}

fn words() -> Arg {
    Arg::new(COMMAND)
        .help("One word: a line for the shell; several: one command, each word quoted")
        .value_parser(value_parser!(OsString))
        .num_args(1..)
        .last(true)
}

const ESCAPES: &str = "\
Without COMMAND it is the login shell of the user there; with --sudo and the like, the other user's.
At the beginning of a line, ~. ends the connection, ~~ sends ~, ~? shows this. The exit status is the command's own.";

fn shell() -> Command {
    Command::new("shell")
        .about("Type at a shell, or at a command, on a terminal of one target")
        .override_usage("hostlink [OPTIONS] TARGET shell [OPTIONS] [-- COMMAND…]")
        .after_help(ESCAPES)
        .arg(words())
        .args(general_of_one())
        .args(flags::heeded_by("shell"))
}

const FORWARDS: &str = "\
SPEC is ssh's: [BIND:]PORT:HOST:PORT, for -D [BIND:]PORT; a path of a Unix socket may stand for either half of -L and -R.
It stays until Ctrl-C, SIGTERM, or until the link is lost, which is exit status 255. If one cannot be had, none is.
Targets over SSH forward, this machine and containers do not.";

fn forward() -> Command {
    let spec = |id: &'static str, short, help: &'static str| {
        Arg::new(id).short(short).value_name("SPEC").action(ArgAction::Append).help(help)
    };
    Command::new("forward")
        .about("Forward ports and sockets through one target")
        .override_usage("hostlink [OPTIONS] TARGET forward [-L SPEC]… [-R SPEC]… [-D SPEC]…")
        .after_help(FORWARDS)
        .args([
            spec(LOCAL, 'L', "Listen here, and connect from there"),
            spec(REMOTE, 'R', "Listen there, and connect from here"),
            spec(DYNAMIC, 'D', "Listen here, as a SOCKS proxy that connects from there"),
        ])
        .args(general_of_one())
        .mut_arg(SAME_SUDO_PASSWORD, |arg| arg.hide(true))
}

fn put() -> Command {
    let mode = Arg::new(MODE)
        .long("mode")
        .value_name("OCTAL")
        .help("Permission bits on the target, like 0644 [default: as they are there, or here]");
    let follow = switch(FOLLOW)
        .help("Write through a symlink at DEST, even with privilege, instead of replacing it");
    transfer("put", "Copy a file or, with -r, a directory to the targets; SRC - is standard input")
        .arg(src().value_parser(value_parser!(PathBuf)))
        .arg(dest())
        .args([recursive(), preserve(), mode, follow])
}

fn get() -> Command {
    transfer(
        "get",
        "Copy a file or, with -r, a directory from the targets; DEST - is standard output",
    )
    .arg(src())
    .arg(dest().value_parser(value_parser!(PathBuf)))
    .args([recursive(), preserve()])
    .after_help(
        "{host} in DEST is replaced by the target's name, with _ for /. Several targets need it.",
    )
}

const PATHS: &str = "\
A colon in front of SRC or of DEST, and only of one, says that it is on the target:
    rsync ./site/ :/srv/site/ -- -a --delete
    rsync :/var/log/ ./logs/ -- -a
As always with rsync, wildcards and a leading ~ of a path on the target are expanded there.
The exit status is rsync's own; 255 if the link failed; 127 if rsync is missing, here or there.";

fn rsync() -> Command {
    let flags = Arg::new(FLAGS)
        .help("Options of rsync, as they are")
        .value_parser(value_parser!(OsString))
        .num_args(1..)
        .last(true);
    Command::new("rsync")
        .about("Run rsync between this machine and one target, over the same link")
        .override_usage("hostlink [OPTIONS] TARGET rsync [OPTIONS] SRC DEST -- FLAGS…")
        .after_help(PATHS)
        .arg(src().value_parser(value_parser!(OsString)))
        .arg(dest().help("Where the copy goes").value_parser(value_parser!(OsString)))
        .arg(flags)
        .args(general_of_one())
        .args(flags::heeded_by("rsync"))
}

fn transfer(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .override_usage(format!("hostlink [OPTIONS] TARGETS {name} [OPTIONS] SRC DEST"))
        .args(general())
        .args(flags::heeded_by(name))
}

fn src() -> Arg {
    Arg::new(SRC).required(true).help("What to copy")
}

fn dest() -> Arg {
    Arg::new(DEST).required(true).help("The copy's path, its own name included")
}

fn recursive() -> Arg {
    switch(RECURSIVE).short('r').help("Copy a directory with all that is in it")
}

fn preserve() -> Arg {
    switch(PRESERVE).help("Keep the mode and the time of modification")
}

fn connectors() -> Command {
    Command::new("connectors")
        .about("Describe the connectors of this build and their host data")
        .override_usage("hostlink connectors [NAME]")
        .arg(Arg::new(NAME).help("Only this one"))
        .arg(switch(JSON).help("One JSON object a line"))
}

const TABLE: &str = "\
Without --json or --graph it is a table. With --json, data are merged, and secrets are masked.
The hosts are those that every other subcommand would take, with --limit and --exclude.";

fn inventory() -> Command {
    Command::new("inventory")
        .about(
            "Show the hosts that TARGETS stands for, with their groups and data; connect to none",
        )
        .override_usage("hostlink [OPTIONS] TARGETS inventory [--graph] [OPTIONS]")
        .after_help(TABLE)
        .arg(switch(GRAPH).help("Show the groups as a tree, with the hosts in them"))
        .args(general())
        .mut_arg(JSON, |arg| arg.help("One JSON object a line for each host"))
}

fn schema() -> Command {
    Command::new("schema")
        .about("Print the JSON Schema of a file that hostlink reads")
        .override_usage("hostlink schema inventory")
        .arg(Arg::new(NAME).required(true).value_parser(["inventory"]).help("Which file"))
}

const INSTALL: &str = "\
bash: source <(hostlink completions bash)
zsh:  source <(hostlink completions zsh)
fish: hostlink completions fish | source";

fn completions() -> Command {
    Command::new("completions")
        .about("Print a script that completes command lines of hostlink, hosts and groups too")
        .override_usage("hostlink completions SHELL")
        .after_help(INSTALL)
        .arg(Arg::new(SHELL).required(true).value_parser(SHELLS).help("Whose script"))
}

/// Which hosts, and what of them.
fn choice() -> impl Iterator<Item = Arg> {
    let pattern = |id: &'static str, help: &'static str| {
        let arg = Arg::new(id).long(id).value_name("PATTERN").action(ArgAction::Append);
        arg.help(help)
    };
    let choice = [
        pattern(
            LIMIT,
            "Only these hosts and groups: web,db*,@docker; a:&b is both, a:!b the first alone",
        ),
        pattern(
            EXCLUDE,
            "Not these hosts and groups; connectors that list some of them are asked which those are",
        ),
        Arg::new(GROUP_DATA)
            .long(GROUP_DATA)
            .value_name("PATH")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .help("Data of groups: a directory of files like web.yaml, or one such file"),
        switch(TRUST_DATA)
            .help("Let data from APIs, states and programs run code and read files here"),
    ];
    choice.into_iter().map(|arg| arg.help_heading("Which hosts"))
}

fn general() -> impl Iterator<Item = Arg> {
    let general = [
        Arg::new(DATA)
            .long("data")
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("Host data for every target; a value that begins with { or [ is JSON"),
        switch(JSON).help("One JSON object a line on standard output, as each target finishes"),
        switch(VERBOSE).short('v').help("Tell on standard error what is done, and errors in full"),
        switch(SAME_SUDO_PASSWORD).help("Ask once for sudo's password, and use it on all targets"),
        Arg::new(PARALLEL)
            .long(PARALLEL)
            .value_name("NUMBER")
            .help("At most so many targets at once [default: 100]"),
        Arg::new(CONNECT_TIMEOUT).long(CONNECT_TIMEOUT).value_name("DURATION").help(format!(
            "How long connecting to a target may take [default: {}]",
            Context::default().connect_timeout.as_secs()
        )),
    ];
    general.into_iter().chain(choice()).chain(login::flags())
}

/// Of a subcommand for one target, whose help does not show what would mean nothing there.
fn general_of_one() -> impl Iterator<Item = Arg> {
    general().map(|arg| {
        let is_for_many = [JSON, PARALLEL].contains(&arg.get_id().as_str());
        arg.hide(is_for_many)
    })
}

fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }
}
