//! The grammar of command lines.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};
use hostlink::Context;
use hostlink::inventory::Config;

use crate::{flag_names, flags};

pub(crate) const TARGETS: &str = "TARGETS";
pub(crate) const COMMAND: &str = "COMMAND";
pub(crate) const SRC: &str = "SRC";
pub(crate) const DEST: &str = "DEST";
pub(crate) const FLAGS: &str = "FLAGS";
pub(crate) const NAME: &str = "NAME";
pub(crate) const DATA: &str = "data";
pub(crate) const JSON: &str = "json";
pub(crate) const VERBOSE: &str = "verbose";
pub(crate) const BATCH: &str = "batch";
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

/// The shells there are.
pub(crate) const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// First words that are never a target. A host of such a name is written `@ssh/schema`.
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
Exit status, one target: the command's own; 128+n if signal n killed it; 124 for a timeout; \
255 if the target was not reached, the link was lost, or ~. ended it; 1 if a file did not arrive, \
the switch to another user failed, or the connection did not close cleanly.
Several targets: 0 if all succeeded, 1 if some failed.
Always: 2 for wrong usage; 130, 143 and 129 for SIGINT, SIGTERM and SIGHUP; 141 if the output is a closed pipe.

DURATION is a number of seconds, or a number with ms, s, m or h.";

const WORDS: &str = "\
One word is a line for the target's shell: exec -- 'ls *.log | wc -l'
Several words are one command, and arrive unchanged: exec -- ls '*.log'
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
        .help("One word: a line for the shell. Several: one command, each word quoted")
        .value_parser(value_parser!(OsString))
        .num_args(1..)
        .last(true)
}

const ESCAPES: &str = "\
Without COMMAND, it starts the user's login shell; with --sudo and similar options, the other user's.
At the start of a line, ~. ends the connection, ~~ sends ~, and ~? shows this. The exit status is the command's own.";

fn shell() -> Command {
    Command::new("shell")
        .about("Open an interactive shell, or run a command, on a terminal of one target")
        .override_usage("hostlink [OPTIONS] TARGET shell [OPTIONS] [-- COMMAND…]")
        .after_help(ESCAPES)
        .arg(words())
        .args(general_of_one())
        .args(flags::used_by("shell"))
}

const FORWARDS: &str = "\
SPEC is ssh's: [BIND:]PORT:HOST:PORT, for -D [BIND:]PORT; the path of a Unix socket may replace either half of -L and -R.
Forwards stay open until Ctrl-C, SIGTERM, or a lost link (exit status 255). If one cannot be opened, none is.
Only targets over SSH can forward, not this machine or containers.";

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
        .help("Permission bits on the target, such as 0644 [default: those of the existing file, or of SRC]");
    let follow = switch(FOLLOW)
        .help("Write through a symlink at DEST, even with privilege, instead of replacing it");
    transfer("put", "Copy a file or, with -r, a directory to the targets. SRC - is standard input")
        .arg(src().value_parser(value_parser!(PathBuf)))
        .arg(dest())
        .args([recursive(), preserve(), mode, follow])
}

fn get() -> Command {
    transfer(
        "get",
        "Copy a file or, with -r, a directory from the targets. DEST - is standard output",
    )
    .arg(src())
    .arg(dest().value_parser(value_parser!(PathBuf)))
    .args([recursive(), preserve()])
    .after_help(
        "{host} in DEST is replaced by the target's name, with _ for /. It is required for several targets.",
    )
}

const PATHS: &str = "\
A colon before SRC or DEST means that it is on the target. Exactly one of them has it:
    rsync ./site/ :/srv/site/ -- -a --delete
    rsync :/var/log/ ./logs/ -- -a
As usual with rsync, wildcards and a leading ~ of a path on the target are expanded there.
The exit status is rsync's own; 255 if the link failed; 127 if rsync is missing on either side.";

fn rsync() -> Command {
    let flags = Arg::new(FLAGS)
        .help("Options of rsync, passed on unchanged")
        .value_parser(value_parser!(OsString))
        .num_args(1..)
        .last(true);
    Command::new("rsync")
        .about("Run rsync between this machine and one target, through the same link")
        .override_usage("hostlink [OPTIONS] TARGET rsync [OPTIONS] SRC DEST -- FLAGS…")
        .after_help(PATHS)
        .arg(src().value_parser(value_parser!(OsString)))
        .arg(dest().help("The destination").value_parser(value_parser!(OsString)))
        .arg(flags)
        .args(general_of_one())
        .args(flags::used_by("rsync"))
}

fn transfer(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .override_usage(format!("hostlink [OPTIONS] TARGETS {name} [OPTIONS] SRC DEST"))
        .args(general())
        .args(flags::used_by(name))
}

fn src() -> Arg {
    Arg::new(SRC).required(true).help("What to copy")
}

fn dest() -> Arg {
    Arg::new(DEST).required(true).help("The path of the copy, or an existing directory for it")
}

fn recursive() -> Arg {
    switch(RECURSIVE).short('r').help("Copy a directory with its content")
}

fn preserve() -> Arg {
    switch(PRESERVE).help("Keep the mode and the modification time")
}

fn connectors() -> Command {
    Command::new("connectors")
        .about("Describe the connectors of this build and their host data")
        .override_usage("hostlink connectors [NAME]")
        .arg(Arg::new(NAME).help("Only this connector"))
        .arg(switch(JSON).help("One JSON object per line"))
}

const TABLE: &str = "\
By default it prints a table. With --json, data are merged, and secrets are masked.
The hosts are those that other subcommands would use, with --limit and --exclude.";

fn inventory() -> Command {
    Command::new("inventory")
        .about("Show the hosts of TARGETS, with their groups and data, without connecting")
        .override_usage("hostlink [OPTIONS] TARGETS inventory [--graph] [OPTIONS]")
        .after_help(TABLE)
        .arg(switch(GRAPH).help("Show the groups as a tree, with their hosts"))
        .args(general())
        .mut_arg(JSON, |arg| arg.help("One JSON object per line for each host"))
}

fn schema() -> Command {
    Command::new("schema")
        .about("Print the JSON Schema of a file that hostlink reads")
        .override_usage("hostlink schema inventory")
        .arg(Arg::new(NAME).required(true).value_parser(["inventory"]).help("The kind of file"))
}

const INSTALL: &str = "\
bash: source <(hostlink completions bash)
zsh:  source <(hostlink completions zsh)
fish: hostlink completions fish | source";

fn completions() -> Command {
    Command::new("completions")
        .about("Print a script that completes hostlink's command lines, with hosts and groups")
        .override_usage("hostlink completions SHELL")
        .after_help(INSTALL)
        .arg(Arg::new(SHELL).required(true).value_parser(SHELLS).help("The shell"))
}

/// Options that select hosts and set their data.
fn choice() -> impl Iterator<Item = Arg> {
    let pattern = |id: &'static str, help: &'static str| {
        let arg = Arg::new(id).long(id).value_name("PATTERN").action(ArgAction::Append);
        arg.help(help)
    };
    let choice = [
        pattern(
            LIMIT,
            "Only these hosts and groups: web,db*,@docker; a:&b is in both, a:!b in a but not in b",
        ),
        pattern(
            EXCLUDE,
            "Without these hosts and groups; connectors that may list some of them are queried",
        ),
        Arg::new(GROUP_DATA)
            .long(GROUP_DATA)
            .value_name("PATH")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .help("Data of groups: a directory of files such as web.yaml, or one such file"),
        switch(TRUST_DATA).help(
            "Allow data from APIs, states and programs to run code and read files on this machine",
        ),
    ];
    choice.into_iter().map(|arg| arg.help_heading("Host selection"))
}

fn general() -> impl Iterator<Item = Arg> {
    let general = [
        Arg::new(DATA)
            .long("data")
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("Host data for every target; a value that starts with { or [ is JSON"),
        switch(JSON).help("One JSON object per line on standard output, as each target finishes"),
        switch(VERBOSE).short('v').action(ArgAction::Count).help(
            "Report each step on standard error, and errors in full; -vv: also what ssh says",
        ),
        switch(BATCH).help("Ask nothing: a target that needs an answer fails"),
        switch(SAME_SUDO_PASSWORD)
            .help("Prompt once for sudo's password, before connecting, and use it on all targets"),
        Arg::new(PARALLEL).long(PARALLEL).value_name("NUMBER").help(format!(
            "Maximum number of concurrent targets [default: {}]",
            Config::default().parallel
        )),
        Arg::new(CONNECT_TIMEOUT).long(CONNECT_TIMEOUT).value_name("DURATION").help(format!(
            "Time limit for connecting to a target [default: {}]",
            Context::default().connect_timeout.as_secs()
        )),
    ];
    general.into_iter().chain(choice()).chain(flag_names::login())
}

/// General options of a subcommand for one target; its help hides those that do not apply.
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
