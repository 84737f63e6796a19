//! Completion of command lines: the grammar by `clap_complete`, hosts and groups by this module.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Arg, Command};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{CompleteEnv, Shells};
use hostlink::inventory::Inventory;
use hostlink::{Context, Error, ErrorKind, Registry, Result};

use crate::grammar;

/// The variable that the scripts set when they call.
const VARIABLE: &str = "HOSTLINK_COMPLETE";

/// The connectors of this process.
static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// bash breaks words at `@`, which `clap_complete`'s script does not handle; its script for zsh
/// passes words with their quotes.
const BASH: &str = include_str!("complete.bash");
const ZSH: &str = include_str!("complete.zsh");

/// Returns the script for a shell. It calls `hostlink`.
pub(crate) fn script(shell: &str) -> Result<String> {
    match shell {
        "bash" => return Ok(BASH.to_owned()),
        "zsh" => return Ok(ZSH.to_owned()),
        _ => {}
    }
    let failed = |problem: String| Error::new(ErrorKind::Unsupported, problem);
    let shells = Shells::builtins();
    let completer =
        shells.completer(shell).ok_or_else(|| failed(format!("no script for {shell}")))?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "hostlink", "hostlink", "hostlink", &mut script)
        .map_err(|error| failed(error.to_string()))?;
    String::from_utf8(script).map_err(|error| failed(error.to_string()))
}

/// Answers a completion script, if one is calling.
pub(crate) fn answer(registry: &Registry, words: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    // It is set only once, here.
    let _ = REGISTRY.set(registry.clone());
    let answered = CompleteEnv::with_factory(with_completers)
        .var(VARIABLE)
        .try_complete(words.iter().cloned(), std::env::current_dir().ok().as_deref());
    answered.unwrap_or(true)
}

/// Returns the grammar, with completers for hosts. Before TARGETS, what needs them is not offered.
fn with_completers() -> Command {
    let mut before = words_of_line();
    before.pop();
    let has_targets = targets_among(before).is_some();
    let subcommand = |it: Command| {
        let fits = has_targets || grammar::RESERVED.contains(&it.get_name());
        it.hide(!fits)
    };
    let complete = |arg: Arg| match arg.get_id().as_str() {
        grammar::TARGETS => arg.add(ArgValueCompleter::new(targets)),
        grammar::LIMIT | grammar::EXCLUDE => arg.add(ArgValueCompleter::new(pattern)),
        _ => arg,
    };
    let command = grammar::command().mut_args(complete);
    command.mut_subcommands(|it| subcommand(it.mut_args(complete)))
}

/// Completes TARGETS: connectors, inventories, hosts of ssh_config. The text up to the last comma
/// stays.
fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let (before, last) = last_element(current);
    let mut words: Vec<String> = Vec::new();
    if let Some(registry) = REGISTRY.get() {
        let connectors = registry.connectors();
        // Connectors that list hosts, and this machine, need no name; the others need one.
        words.extend(connectors.map(|connector| match connector.about().name {
            name @ "local" => format!("@{name}"),
            name if !connector.about().only_lists() => format!("@{name}/"),
            name => format!("@{name}"),
        }));
        words.extend(known(registry, "@sshconfig").0);
    }
    if before.is_empty() {
        words.extend(grammar::RESERVED.map(str::to_owned));
    }
    // These are also followed by a path.
    let of_path = |name: &'static str| Some((name, last.strip_prefix(name)?));
    let (name, path) =
        ["@ansible/", "@chroot/"].into_iter().find_map(of_path).unwrap_or(("", last));
    let files = PathCompleter::any().complete(OsStr::new(path));
    let files = files.iter().filter_map(|file| file.get_value().to_str());
    words.extend(files.map(|file| format!("{name}{file}")));
    candidates(before, last, words)
}

/// Completes `--limit` and `--exclude`: the hosts and groups of TARGETS on the same line.
fn pattern(current: &OsStr) -> Vec<CompletionCandidate> {
    let (Some(current), Some(registry)) = (current.to_str(), REGISTRY.get()) else {
        return Vec::new();
    };
    let (before, last) = last_element(current);
    let bare = last.trim_start_matches(['&', '!']);
    let (operator, bare) = (&last[..last.len() - bare.len()], bare);
    let before = format!("{before}{operator}");
    let (hosts, groups) =
        targets_among(words_of_line()).map(|targets| known(registry, &targets)).unwrap_or_default();
    candidates(&before, bare, groups.into_iter().chain(hosts))
}

fn candidates(
    before: &str,
    last: &str,
    words: impl IntoIterator<Item = String>,
) -> Vec<CompletionCandidate> {
    // The scripts read one candidate per line.
    let fits = |word: &String| word.starts_with(last) && !word.contains(char::is_control);
    let matching = words.into_iter().filter(fits);
    matching.map(|word| CompletionCandidate::new(format!("{before}{word}"))).collect()
}

/// Splits a list before its last element; the separator belongs to the first part.
fn last_element(list: &str) -> (&str, &str) {
    let at = [list.rfind(','), list.rfind(":&"), list.rfind(":!")].into_iter().flatten().max();
    list.split_at(at.map_or(0, |at| at + 1))
}

/// Returns the line that is being completed, which follows `--`, up to the word at the cursor.
fn words_of_line() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

fn targets_among(words: Vec<OsString>) -> Option<String> {
    let matches = grammar::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    matches.get_one::<String>(grammar::TARGETS).cloned()
}

/// Returns the hosts and groups in files, without asking a program or an API. Names that are
/// special to a shell are left out: not every shell quotes completions.
fn known(registry: &Registry, targets: &str) -> (Vec<String>, Vec<String>) {
    let context =
        Context { home: std::env::var_os("HOME").map(PathBuf::from), ..Context::default() };
    let names = async {
        let builder = Inventory::builder().targets(targets)?;
        builder.known_names(registry, &context).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // If nothing is known, nothing is offered.
    let known = runtime.ok().and_then(|runtime| runtime.block_on(names).ok());
    let (mut hosts, mut groups) = known.unwrap_or_default();
    hosts.retain(|name| is_plain(name));
    groups.retain(|name| is_plain(name));
    (hosts, groups)
}

fn is_plain(name: &str) -> bool {
    let is_sign =
        |c: char| c.is_whitespace() || c.is_control() || "\"'`$\\;&|<>(){}*?!~#^".contains(c);
    !name.contains(is_sign)
}
