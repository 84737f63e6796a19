//! A command line, read and checked as far as that goes without asking a connector.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use clap::error::ErrorKind as ClapKind;
use hostlink::{ConnectorArguments, Data, Forward, FromValue, Result, StringCommand};

use crate::explain::{of_clap, usage};
use crate::grammar::{self, RESERVED};
use crate::input::Input;
use crate::levels::Levels;
use crate::login::Login;
use crate::rsync::Rsync;
use crate::transfer::{Get, Put};
use crate::{data, flags, forward, passwords, shell};

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Help or the version.
    Show(String),
    /// The table of connectors.
    Connectors { name: Option<String>, json: bool },
    /// Something on targets.
    Run(Box<Invocation>),
}

/// Something to do on targets.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) targets: Vec<String>,
    pub(crate) action: Action,
    pub(crate) data: Data,
    pub(crate) login: Login,
    /// What the command line says of each command. It goes before host data …
    pub(crate) arguments: ConnectorArguments,
    /// … and this behind it.
    pub(crate) environment: ConnectorArguments,
    pub(crate) json: bool,
    pub(crate) verbose: bool,
    /// One answer is sudo's password for all targets.
    pub(crate) same_sudo_password: bool,
    pub(crate) parallel: usize,
    pub(crate) connect_timeout: Duration,
}

/// What is done on each target.
#[derive(Debug)]
pub(crate) enum Action {
    Exec { command: StringCommand, stdin: Option<Input> },
    Put(Put),
    Get(Get),
    Rsync(Rsync),
    Shell { command: StringCommand },
    Forward(Vec<Forward>),
}

impl Action {
    /// The subcommand's word, where it is for one target only.
    pub(crate) fn only_one(&self) -> Option<&'static str> {
        match self {
            Self::Exec { .. } | Self::Put(_) | Self::Get(_) => None,
            Self::Rsync(_) => Some("rsync"),
            Self::Shell { .. } => Some("shell"),
            Self::Forward(_) => Some("forward"),
        }
    }
}

const PARALLEL: usize = 100;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Invocation {
    /// Reads the words of a command line, the program's own name first.
    pub(crate) fn parse(words: Vec<OsString>) -> Result<Request> {
        let matches = match grammar::command().try_get_matches_from(words) {
            Ok(matches) => matches,
            Err(error) => return shown(&error),
        };
        let targets = matches.get_one::<String>(grammar::TARGETS);
        match (targets, matches.subcommand()) {
            (None, Some(("connectors", inner))) => Ok(Request::Connectors {
                name: inner.get_one(grammar::NAME).cloned(),
                json: inner.get_flag(grammar::JSON) || matches.get_flag(grammar::JSON),
            }),
            (Some(_), Some(("connectors", _))) => {
                Err(usage("connectors takes no TARGETS: hostlink connectors [NAME]"))
            }
            (None, _) => {
                Err(usage("no TARGETS: hostlink TARGETS exec -- COMMAND…; see hostlink --help"))
            }
            (Some(targets), subcommand) => {
                refuse_reserved(targets)?;
                let targets = target_names(targets)?;
                let (word, inner) = subcommand.ok_or_else(|| {
                    usage(
                        "nothing to do: write exec, put, get, rsync, shell or forward behind TARGETS; see hostlink --help",
                    )
                })?;
                let levels = Levels::new(&matches, inner);
                Ok(Request::Run(Box::new(Self::read(targets, word, inner, &levels)?)))
            }
        }
    }

    fn read(
        targets: Vec<String>,
        word: &str,
        inner: &ArgMatches,
        levels: &Levels<'_>,
    ) -> Result<Self> {
        let pairs = levels.all::<String>(grammar::DATA);
        Ok(Self {
            targets,
            action: action(word, inner, levels)?,
            data: data::parse(pairs.into_iter().map(String::as_str))?,
            login: Login::read(levels)?,
            arguments: passwords::from_files(levels)?.or(&flags::read(levels)?),
            environment: passwords::from_environment()?,
            json: levels.flag(grammar::JSON),
            verbose: levels.flag(grammar::VERBOSE),
            same_sudo_password: levels.flag(grammar::SAME_SUDO_PASSWORD),
            parallel: parallel(levels)?,
            connect_timeout: connect_timeout(levels)?,
        })
    }
}

/// Help and the version come out of clap as errors.
fn shown(error: &clap::Error) -> Result<Request> {
    match error.kind() {
        ClapKind::DisplayHelp | ClapKind::DisplayVersion => {
            Ok(Request::Show(error.render().to_string()))
        }
        _ => Err(of_clap(error)),
    }
}

/// A script that means a host by such a word would break on the day the word gets its meaning.
fn refuse_reserved(list: &str) -> Result<()> {
    if !RESERVED.contains(&list) {
        return Ok(());
    }
    let message =
        format!("hostlink {list} is not in this version; a host of this name is @ssh/{list}");
    Err(usage(message))
}

fn target_names(list: &str) -> Result<Vec<String>> {
    if list.split(',').all(|name| name.trim().is_empty()) {
        return Err(usage("TARGETS is empty: write @local, or several names with commas"));
    }
    let names = list.split(',').map(str::trim);
    if names.clone().any(str::is_empty) {
        return Err(usage(format!("TARGETS {list:?} has an empty name between its commas")));
    }
    Ok(names.map(str::to_owned).collect())
}

fn action(word: &str, inner: &ArgMatches, levels: &Levels<'_>) -> Result<Action> {
    match word {
        "exec" => Ok(Action::Exec { command: command(inner)?, stdin: stdin(levels)? }),
        word => {
            flags::refuse_unheeded(levels, word)?;
            match word {
                "put" => Put::read(inner).map(Action::Put),
                "rsync" => Rsync::read(inner, levels.flag(grammar::JSON)).map(Action::Rsync),
                "shell" => shell_action(inner, levels),
                "forward" => {
                    refuse_json(levels, word)?;
                    forward::read(inner).map(Action::Forward)
                }
                _ => Get::read(inner).map(Action::Get),
            }
        }
    }
}

fn shell_action(inner: &ArgMatches, levels: &Levels<'_>) -> Result<Action> {
    refuse_json(levels, "shell")?;
    let command = match inner.contains_id(grammar::COMMAND) {
        true => command(inner)?,
        false => StringCommand::login_shell(),
    };
    shell::check_terminal()?;
    Ok(Action::Shell { command })
}

fn refuse_json(levels: &Levels<'_>, word: &str) -> Result<()> {
    match levels.flag(grammar::JSON) {
        true => Err(usage(format!("--json means nothing to {word}"))),
        false => Ok(()),
    }
}

/// One word is a line for the shell; several are one command.
fn command(inner: &ArgMatches) -> Result<StringCommand> {
    let words: Vec<&OsString> = inner.get_many(grammar::COMMAND).into_iter().flatten().collect();
    let command = match words.as_slice() {
        [line] => StringCommand::shell(line),
        words => StringCommand::from_words(words),
    };
    if command.is_empty() {
        return Err(usage("no COMMAND: write it behind --, as in exec -- uname -a"));
    }
    Ok(command)
}

fn stdin(levels: &Levels<'_>) -> Result<Option<Input>> {
    let Some(path) = levels.one::<PathBuf>(flags::STDIN) else { return Ok(None) };
    let input = Input::new(path);
    input.check_file()?;
    Ok(Some(input))
}

fn parallel(levels: &Levels<'_>) -> Result<usize> {
    let Some(text) = levels.one::<String>(grammar::PARALLEL) else { return Ok(PARALLEL) };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| usage(format!("--parallel: {text:?} is not a whole number, 1 or more")))
}

fn connect_timeout(levels: &Levels<'_>) -> Result<Duration> {
    let text = levels.one::<String>(grammar::CONNECT_TIMEOUT);
    let Some(text) = text else { return Ok(CONNECT_TIMEOUT) };
    Duration::from_value(&text.as_str().into())
        .ok_or_else(|| usage(format!("--connect-timeout: {text:?} is not {}", Duration::EXPECTED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Request> {
        Invocation::parse(std::iter::once(&"hostlink").chain(words).map(OsString::from).collect())
    }

    fn run(words: &[&str]) -> Invocation {
        match parse(words) {
            Ok(Request::Run(invocation)) => *invocation,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn options_stand_before_targets_and_behind_the_subcommand() {
        let outer = ["--data", "a=1", "--env", "A=1", "--timeout", "1", "-v"];
        let inner = ["--data", "b=2", "--env", "B=2", "--timeout", "2", "--json", "--", "ls"];
        let words = [&outer[..], &["@local,x", "exec"], &inner].concat();
        let invocation = run(&words);
        assert_eq!(invocation.targets, ["@local", "x"]);
        assert!(invocation.json && invocation.verbose);
        assert_eq!(invocation.data.iter().count(), 2);
        assert_eq!(invocation.arguments.env.as_ref().unwrap().len(), 2);
        assert_eq!(invocation.arguments.timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn one_word_is_a_line_and_several_are_a_command() {
        for (words, expected) in [
            (&["a | b"][..], "a | b"),
            (&["a", "|", "b"], "a '|' b"),
            (&["-x", "--json"], "-x --json"),
        ] {
            let words = [&["@local", "exec", "--"], words].concat();
            let Action::Exec { command, stdin: None } = run(&words).action else { panic!() };
            assert_eq!(command.to_string(), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_one_line() {
        for words in [
            &[][..],
            &["", "exec", "--", "ls"],
            &[",", "exec", "--", "ls"],
            &["a,,b", "exec", "--", "ls"],
            &["schema"],
            &["@local"],
            &["@local", "frobnicate"],
            &["@local", "exec"],
            &["@local", "exec", "--"],
            &["@local", "exec", "--", " "],
            &["@local", "exec", "ls"],
            &["@local", "connectors"],
            &["@local", "put", "x"],
            &["--retries", "1", "@local", "put", "/dev/null", "x"],
            &["@local", "get", "x", "--retries", "1", "y"],
            &["--parallel", "0", "@local", "exec", "--", "ls"],
            &["--connect-timeout", "x", "@local", "exec", "--", "ls"],
            &["--nonsense", "@local", "exec", "--", "ls"],
        ] {
            let error = parse(words).expect_err(&format!("{words:?}"));
            assert_eq!(error.kind(), hostlink::ErrorKind::Data, "{words:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
