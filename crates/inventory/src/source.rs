//! Inventories by their paths: a file, a directory, a program.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostlink_core::{
    Context, Data, Error, ErrorKind, Registry, Result, Value, guarded, holds_secret,
};
use hostlink_local::{Program, ProgramError, is_readable_by_others};

use crate::ansible;
use crate::definition::Definition;
use crate::file::{is_program, text, unreadable};
use crate::format::{Dialect, Document, Format};
use crate::node::{Kind, Node};
use crate::place::{Faults, Place, Position};
use crate::secrets::SecretKeys;
use crate::tree;

/// The result of reading a path.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) definitions: Vec<(Definition, Arc<str>)>,
    pub(crate) groups: Vec<(String, Data)>,
    pub(crate) hosts: Vec<(String, Data)>,
    /// Files that others than their owner can read, and that hold a secret.
    pub(crate) readable_secrets: Vec<PathBuf>,
    /// Whether it comes from a program that is not trusted.
    pub(crate) is_untrusted: bool,
}

/// Reads an inventory.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: it is not there, is none, or has faults; a program that fails, with
/// what it said.
pub(crate) async fn load(
    path: &Path,
    registry: &Registry,
    secrets: &SecretKeys,
    context: &Context,
) -> Result<Loaded> {
    if is_program(path) {
        let source: Arc<str> = path.display().to_string().into();
        let definition = program(path, &source, context).await?;
        let is_untrusted = !context.trust_data;
        if is_untrusted {
            guard(&definition, &source, registry)?;
        }
        let definitions = vec![(definition, source)];
        return Ok(Loaded { definitions, is_untrusted, ..Loaded::default() });
    }
    let (path, secrets, context) = (path.to_owned(), secrets.clone(), context.clone());
    // Large ones take a while, and files may be far away.
    let read = tokio::task::spawn_blocking(move || read(&path, &secrets, &context)).await;
    read.unwrap_or_else(|error| Err(Error::new(ErrorKind::Inventory, error.to_string())))
}

/// Reads a file or a directory.
fn read(path: &Path, secrets: &SecretKeys, context: &Context) -> Result<Loaded> {
    let about = std::fs::metadata(path).map_err(|error| no_inventory(path, &error))?;
    if about.is_dir() {
        return directory(path, secrets);
    }
    let mut loaded = Loaded::default();
    let source: Arc<str> = path.display().to_string().into();
    let definition = match Format::of(path) {
        Some(format) if format.has_tree() => file(path, format, &source, secrets, &mut loaded)?,
        Some(_) => ansible::read(path, &mut loaded.readable_secrets, context)?,
        None if path.extension().is_some_and(|extension| extension == "tfstate") => {
            let message = format!(
                "{source}: this is a state of Terraform: name @terraform, with --data terraform_state={source}"
            );
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        None => {
            let message = format!(
                "{source}: this is not an inventory: one ends in {}, is a directory, or is executable; \
                 for an Ansible inventory of another name write @ansible/{source}",
                Format::endings()
            );
            return Err(Error::new(ErrorKind::Inventory, message));
        }
    };
    loaded.definitions.push((definition, source));
    Ok(loaded)
}

/// The error for a word of a list of targets that may have been meant as a host.
fn no_inventory(path: &Path, error: &std::io::Error) -> Error {
    let shown = path.display();
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound if path.as_os_str().as_encoded_bytes().contains(&b'/') => {
            "; a host is written without a slash, or as @ssh/HOST".to_owned()
        }
        std::io::ErrorKind::NotFound => format!("; a host of this name is @ssh/{shown}"),
        _ => String::new(),
    };
    let message = format!("{shown}: this inventory cannot be read: {error}{hint}");
    Error::new(ErrorKind::Inventory, message)
}

fn file(
    path: &Path,
    format: Format,
    source: &Arc<str>,
    secrets: &SecretKeys,
    loaded: &mut Loaded,
) -> Result<Definition> {
    let node = format.read(&text(path)?, Dialect::Own, source)?.strict()?;
    if let Some(at) = looks_like_ansible(&node) {
        return Err(Place::new(source, at).error(format_args!(
            "this looks like an inventory of Ansible: write @ansible/{source}"
        )));
    }
    let definition = Definition::of_node(node, source)?;
    let holds_secret = || definition.all_data(source).any(|(_, data)| has_secret(data, secrets));
    if is_readable_by_others(path) && holds_secret() {
        loaded.readable_secrets.push(path.to_owned());
    }
    Ok(definition)
}

fn has_secret(data: &Data, secrets: &SecretKeys) -> bool {
    data.iter().any(|(key, value)| {
        (*value != Value::Null && secrets.is_plain(key)) || holds_secret(key, value)
    })
}

/// Groups at the top, each a map with a list or a map of hosts, or variables.
fn looks_like_ansible(node: &Node) -> Option<Position> {
    let Kind::Map(entries) = &node.kind else { return None };
    let of_group = |key: &str| ["hosts", "vars", "children"].contains(&key);
    let is_group = |group: &Node| matches!(&group.kind, Kind::Map(inner) if inner.iter().any(|(key, _)| of_group(&key.text)));
    let foreign = |key: &str| !["data", "hosts", "groups"].contains(&key);
    let found = entries.iter().find(|(key, group)| foreign(&key.text) && is_group(group));
    found.map(|(key, _)| key.at)
}

/// `inventory.*`, `group_data/*`, `host_data/*`.
fn directory(path: &Path, secrets: &SecretKeys) -> Result<Loaded> {
    let refused = |problem: String| {
        Err(Error::new(ErrorKind::Inventory, format!("{}: {problem}", path.display())))
    };
    let files = visible(path)?;
    let inventories: Vec<&PathBuf> = files
        .iter()
        .filter(|file| !file.is_dir() && tree_format(file).is_some())
        .filter(|file| file.file_stem().is_some_and(|stem| stem == "inventory"))
        .collect();
    let [inventory] = inventories.as_slice() else {
        let names = Format::tree_files("inventory");
        return refused(match inventories.len() {
            0 => format!("this directory has no inventory: {names}"),
            count => format!("this directory has {count} inventories: keep one of {names}"),
        });
    };
    let mut loaded = Loaded::default();
    let source: Arc<str> = inventory.display().to_string().into();
    let format = tree_format(inventory).expect("it is among the files of known formats");
    let definition = file(inventory, format, &source, secrets, &mut loaded)?;
    loaded.definitions.push((definition, source));
    for (folder, of_groups) in [("group_data", true), ("host_data", false)] {
        let folder = path.join(folder);
        // A link that leads nowhere is there, too.
        if folder.symlink_metadata().is_ok() {
            let data = named_data(&folder, secrets, &mut loaded.readable_secrets)?;
            if of_groups {
                loaded.groups = data
            } else {
                loaded.hosts = data
            };
        }
    }
    Ok(loaded)
}

/// The data of a directory's files, by the names of the files without their endings; or of one such
/// file.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: what cannot be read, and two files of one name.
pub(crate) fn named_data(
    path: &Path,
    secrets: &SecretKeys,
    readable: &mut Vec<PathBuf>,
) -> Result<Vec<(String, Data)>> {
    let about = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let files = if about.is_dir() { data_files(path)? } else { vec![path.to_owned()] };
    let mut all: Vec<(String, Data)> = Vec::new();
    for file in files {
        let source: Arc<str> = file.display().to_string().into();
        let name = file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        let (Some(format), Some(name)) = (tree_format(&file), name) else {
            let message = format!("{source}: data are in files like {}", Format::tree_files("web"));
            return Err(Error::new(ErrorKind::Inventory, message));
        };
        if all.iter().any(|(known, _)| *known == name) {
            let message = format!("{source}: there is another file for {name} beside it");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        let mut faults = Faults::new(&source);
        let data =
            tree::data(format.read(&text(&file)?, Dialect::Own, &source)?.strict()?, &mut faults);
        faults.finish()?;
        if is_readable_by_others(&file) && has_secret(&data, secrets) {
            readable.push(file);
        }
        all.push((name, data));
    }
    Ok(all)
}

/// The files of data in a directory, by their names. What has another ending is left alone.
fn data_files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = visible(path)?;
    if let Some(directory) = files.iter().find(|file| file.is_dir()) {
        let message = format!(
            "{}: this is a directory, and data are in files like {}",
            directory.display(),
            Format::tree_files("web")
        );
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    files.retain(|file| tree_format(file).is_some());
    Ok(files)
}

fn tree_format(path: &Path) -> Option<Format> {
    Format::of(path).filter(|format| format.has_tree())
}

/// Returns the names in a directory that do not begin with a dot, in order.
fn visible(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|error| unreadable(path, &error))?.path();
        let name = file.file_name().map(|name| name.as_encoded_bytes());
        if name.is_some_and(|name| !name.starts_with(b".")) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// How much a program may print for one host, and for all of them.
const MOST_OF_HOST: usize = 1 << 20;
const MOST_OF_HOSTS: usize = 16 << 20;

/// Runs a program that prints an inventory, as Ansible does.
async fn program(path: &Path, source: &Arc<str>, context: &Context) -> Result<Definition> {
    let printed_so_far = AtomicUsize::new(0);
    let (list, name) = printed(path, source, None, context, &printed_so_far).await?;
    if !ansible::is_list(&list.node) {
        return Definition::of_node(list.strict()?, &name);
    }
    // As with Ansible, the last value of a key that is given twice counts.
    let ask = async |host: String| {
        let (variables, name) =
            printed(path, source, Some(&host), context, &printed_so_far).await?;
        Ok((variables.node, name))
    };
    ansible::of_list(list.node, &name, context, ask).await
}

/// What a program prints for `--list`, or for `--host NAME`, which may be nothing; and what that is
/// called in errors.
async fn printed(
    path: &Path,
    source: &Arc<str>,
    host: Option<&str>,
    context: &Context,
    so_far: &AtomicUsize,
) -> Result<(Document, Arc<str>)> {
    let what = host.map(|name| format!(" for --host {name}")).unwrap_or_default();
    let failed =
        |problem: String| Error::new(ErrorKind::Inventory, format!("{source} {problem}{what}"));
    let absolute = std::path::absolute(path).map_err(|error| failed(error.to_string()))?;
    let words = host.map_or(vec!["--list"], |name| vec!["--host", name]);
    let mut program = Program::new(absolute, &context.environment).args(words);
    if host.is_some() {
        program = program.max_output(MOST_OF_HOST);
    }
    let written = program.output().await.map_err(|problem| failed(problem.to_string()))?;
    let length = written.stdout.len();
    if host.is_some() && so_far.fetch_add(length, Ordering::Relaxed) + length > MOST_OF_HOSTS {
        let problem = ProgramError::TooMuch(MOST_OF_HOSTS);
        let message = format!("{source} {problem} for the --host of all hosts together");
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    if !written.status.success() {
        let error = failed(format!("failed ({})", written.status));
        return Err(error.with_stderr_tail(&written.stderr));
    }
    let text = String::from_utf8(written.stdout)
        .map_err(|_| failed("printed what is not UTF-8".into()))?;
    let printed: Arc<str> = format!("what {source} printed{what}").into();
    if host.is_some() && text.trim().is_empty() {
        return Ok((Document::empty(&printed), printed));
    }
    let document = Format::Json
        .read(&text, Dialect::Own, &printed)
        .map_err(|error| error.with_stderr_tail(&written.stderr))?;
    Ok((document, printed))
}

/// Refuses what a program may not say: its output may come from anywhere.
fn guard(definition: &Definition, source: &Arc<str>, registry: &Registry) -> Result<()> {
    let mut faults = Faults::new(source);
    for (place, data) in definition.all_data(source) {
        for key in registry.guarded_keys(data) {
            let problem = guarded("what a program prints");
            faults.add(place.position(), format_args!("{key}: {problem}"));
        }
    }
    for (name, group) in definition.groups.iter().filter(|(name, _)| name.starts_with('@')) {
        faults.add(
            group.at,
            format_args!(
                "{name} is the group of a connector: a program may not say anything of it"
            ),
        );
    }
    for host in definition.targets() {
        let reached = host.target.as_deref().unwrap_or(&host.name);
        if registry.acts_here(reached)? {
            faults.add(
                host.at,
                format_args!(
                    "{reached} is on this machine, and a program printed it; --trust-data allows it"
                ),
            );
        }
    }
    faults.finish()
}
