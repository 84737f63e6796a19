//! A command line, parsed and checked as far as possible without a connector.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use clap::error::ErrorKind as ClapKind;
use hostlink::connect::FromValue;
use hostlink::forward::Forward;
use hostlink::inventory::{self, Config, Pattern};
use hostlink::{Context, Data, Result, StringCommand};

use crate::arguments::Arguments;
use crate::explain::{of_clap, usage};
use crate::grammar;
use crate::input::Input;
use crate::levels::Levels;
use crate::login::Login;
use crate::messages::Verbosity;
use crate::rsync::Rsync;
use crate::transfer::{Get, Put};
use crate::{connectors, data, flags, forward, shell};

/// The request of a command line.
#[derive(Debug)]
pub(crate) enum Request {
    /// Help or the version.
    Show(String),
    /// The list of connectors, or the one of this name.
    Connectors { name: Option<String>, format: connectors::Format },
    /// The JSON Schema of an inventory file.
    Schema,
    /// A completion script for a shell.
    Completions { shell: String },
    /// Work on targets.
    Run(Box<Invocation>),
}

/// Work to do on targets.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The list of targets, as given.
    pub(crate) targets: String,
    pub(crate) limit: Option<Pattern>,
    pub(crate) exclude: Option<Pattern>,
    pub(crate) group_data: Vec<PathBuf>,
    /// True if data from APIs, states and programs may run code and read files on this machine.
    pub(crate) trust_data: bool,
    pub(crate) action: Action,
    pub(crate) data: Data,
    pub(crate) login: Login,
    pub(crate) arguments: Arguments,
    pub(crate) json: bool,
    pub(crate) verbosity: Verbosity,
    /// True if nothing is asked.
    pub(crate) batch: bool,
    pub(crate) parallel: usize,
    pub(crate) connect_timeout: Duration,
}

/// The action for each target.
#[derive(Debug)]
pub(crate) enum Action {
    Exec {
        command: StringCommand,
        stdin: Option<Input>,
    },
    Put(Put),
    Get(Get),
    Rsync(Rsync),
    Shell {
        command: StringCommand,
    },
    Forward(Vec<Forward>),
    /// Shows the hosts without connecting.
    Inventory {
        graph: bool,
    },
}

impl Action {
    /// Returns the subcommand's name if it is for one target only.
    pub(crate) fn only_one(&self) -> Option<&'static str> {
        match self {
            Self::Exec { .. } | Self::Put(_) | Self::Get(_) | Self::Inventory { .. } => None,
            Self::Rsync(_) => Some("rsync"),
            Self::Shell { .. } => Some("shell"),
            Self::Forward(_) => Some("forward"),
        }
    }
}

impl Invocation {
    /// Parses the words of a command line, the program's name first.
    pub(crate) fn parse(words: Vec<OsString>) -> Result<Request> {
        let matches = match grammar::command().try_get_matches_from(words) {
            Ok(matches) => matches,
            Err(error) => return shown(&error),
        };
        let targets = matches.get_one::<String>(grammar::TARGETS);
        match (targets, matches.subcommand()) {
            (None, Some(("connectors", inner))) => Ok(Request::Connectors {
                name: inner.get_one(grammar::NAME).cloned(),
                format: match inner.get_flag(grammar::JSON) || matches.get_flag(grammar::JSON) {
                    true => connectors::Format::Json,
                    false => connectors::Format::Text,
                },
            }),
            (None, Some(("schema", _))) => Ok(Request::Schema),
            (None, Some(("completions", inner))) => {
                let shell = inner.get_one(grammar::SHELL).cloned().unwrap_or_default();
                Ok(Request::Completions { shell })
            }
            (Some(_), Some((word @ ("connectors" | "schema" | "completions"), _))) => {
                Err(usage(format!("{word} takes no TARGETS; see hostlink {word} --help")))
            }
            (None, _) => {
                Err(usage("no TARGETS: hostlink TARGETS exec -- COMMAND…; see hostlink --help"))
            }
            (Some(targets), subcommand) => {
                inventory::words(targets)?;
                let (word, inner) = subcommand.ok_or_else(|| {
                    usage(
                        "nothing to do: write exec, put, get, rsync, shell, forward or inventory after TARGETS; see hostlink --help",
                    )
                })?;
                let levels = Levels::new(&matches, inner);
                Ok(Request::Run(Box::new(Self::read(targets.clone(), word, inner, &levels)?)))
            }
        }
    }

    fn read(targets: String, word: &str, inner: &ArgMatches, levels: &Levels<'_>) -> Result<Self> {
        let pairs = levels.all::<String>(grammar::DATA);
        let invocation = Self {
            targets,
            limit: pattern(levels, grammar::LIMIT)?,
            exclude: pattern(levels, grammar::EXCLUDE)?,
            group_data: levels.all::<PathBuf>(grammar::GROUP_DATA).into_iter().cloned().collect(),
            trust_data: levels.flag(grammar::TRUST_DATA),
            action: action(word, inner, levels)?,
            data: data::parse(pairs.into_iter().map(String::as_str))?,
            login: Login::read(levels)?,
            arguments: Arguments::read(levels)?,
            json: levels.flag(grammar::JSON),
            verbosity: Verbosity::of_count(levels.count(grammar::VERBOSE)),
            batch: levels.flag(grammar::BATCH),
            parallel: parallel(levels)?,
            connect_timeout: connect_timeout(levels)?,
        };
        if invocation.batch && invocation.asks_first() {
            return Err(usage("--batch and a flag that asks for a password cannot be combined"));
        }
        Ok(invocation)
    }

    /// Returns whether the command line asks for a question before anything is connected to.
    pub(crate) fn asks_first(&self) -> bool {
        self.login.asks() || self.arguments.ask()
    }
}

/// Returns help and version, which clap returns as errors.
fn shown(error: &clap::Error) -> Result<Request> {
    match error.kind() {
        ClapKind::DisplayHelp | ClapKind::DisplayVersion => {
            Ok(Request::Show(error.render().to_string()))
        }
        _ => Err(of_clap(error)),
    }
}

/// Joins repeated flags.
fn pattern(levels: &Levels<'_>, flag: &str) -> Result<Option<Pattern>> {
    let texts = levels.all::<String>(flag);
    let parsed: Result<Vec<Pattern>> = texts.into_iter().map(|text| Pattern::parse(text)).collect();
    Ok(Pattern::join(parsed.map_err(|error| usage(format!("--{flag} {}", error.message())))?))
}

fn action(word: &str, inner: &ArgMatches, levels: &Levels<'_>) -> Result<Action> {
    match word {
        "exec" => Ok(Action::Exec { command: command(inner)?, stdin: stdin(levels)? }),
        "inventory" => inventory_action(inner, levels),
        word => {
            flags::refuse_unused(levels, word)?;
            match word {
                "put" => Put::read(inner).map(Action::Put),
                "rsync" if levels.flag(grammar::JSON) => {
                    Err(usage("--json: rsync writes its own output; see its --out-format"))
                }
                "rsync" => Rsync::read(inner).map(Action::Rsync),
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

fn inventory_action(inner: &ArgMatches, levels: &Levels<'_>) -> Result<Action> {
    flags::refuse_unused(levels, "inventory")?;
    let graph = inner.get_flag(grammar::GRAPH);
    if graph && levels.flag(grammar::JSON) {
        return Err(usage("--graph and --json cannot be combined"));
    }
    Ok(Action::Inventory { graph })
}

fn refuse_json(levels: &Levels<'_>, word: &str) -> Result<()> {
    match levels.flag(grammar::JSON) {
        true => Err(usage(format!("--json does not apply to {word}"))),
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
        return Err(usage("no COMMAND: write it after --, as in exec -- uname -a"));
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
    let Some(text) = levels.one::<String>(grammar::PARALLEL) else {
        return Ok(Config::default().parallel);
    };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| usage(format!("--parallel: {text:?} is not a whole number, 1 or more")))
}

fn connect_timeout(levels: &Levels<'_>) -> Result<Duration> {
    let text = levels.one::<String>(grammar::CONNECT_TIMEOUT);
    let Some(text) = text else { return Ok(Context::default().connect_timeout) };
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
    fn options_precede_targets_or_follow_the_subcommand() {
        let outer = ["--data", "a=1", "--env", "A=1", "--timeout", "1", "-v"];
        let inner = ["--data", "b=2", "--env", "B=2", "--timeout", "2", "--json", "--", "ls"];
        let words = [&outer[..], &["@local,x", "exec"], &inner].concat();
        let invocation = run(&words);
        assert_eq!(invocation.targets, "@local,x");
        assert!(invocation.json && invocation.verbosity == Verbosity::Steps);
        assert_eq!(invocation.data.iter().count(), 2);
        assert_eq!(invocation.arguments.flags.env.as_ref().unwrap().len(), 2);
        assert_eq!(invocation.arguments.flags.timeout, Some(Duration::from_secs(2)));
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
            &["schema", "x"],
            &["completions", "tcsh"],
            &["@local", "schema", "inventory"],
            &["web[9-1]", "exec", "--", "ls"],
            &["--limit", "a,,b", "@local", "exec", "--", "ls"],
            &["--json", "@local", "inventory", "--graph"],
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
            let kinds = [hostlink::ErrorKind::Data, hostlink::ErrorKind::Inventory];
            assert!(kinds.contains(&error.kind()), "{words:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
