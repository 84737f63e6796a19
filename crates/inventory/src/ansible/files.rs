//! The files of an inventory of Ansible: inventories, and `group_vars` and `host_vars` beside them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostlink_core::{Context, Data, Error, ErrorKind, Event, Result};
use hostlink_local::is_readable_by_others;

use super::raw::{Noted, Raw, UNGROUPED};
use super::reading::Reading;
use super::{ini, listing, mapping, yaml};
use crate::definition::{ALL, Definition};
use crate::file;
use crate::format::{Dialect, Format};
use crate::node::{Key, Kind, Node};
use crate::place::{Place, Position, one_line};
use crate::unusable;

/// The key of data that a file holds which Ansible Vault encrypted as a whole.
const ENCRYPTED_FILE: &str = "ansible_encrypted_file";

/// The maximum depth of directories in one another.
const DEEPEST: usize = 16;

/// Reads an inventory of Ansible, a file or a directory, with the `group_vars` and `host_vars`
/// beside it. Adds the files to `readable` that hold a secret which others can read.
pub(crate) fn read(
    path: &Path,
    readable: &mut Vec<PathBuf>,
    context: &Context,
) -> Result<Definition> {
    let mut reader = Reader { raw: Raw::default(), readable, context };
    let beside = if path.is_dir() {
        for file in inventories(path, 0)? {
            reader.file(&file)?;
        }
        path
    } else {
        reader.file(path)?;
        path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
    };
    let groups: Vec<String> =
        (reader.raw.groups.keys().cloned()).chain([ALL.to_owned(), UNGROUPED.to_owned()]).collect();
    for (name, data) in reader.variables(&beside.join("group_vars"), &groups)? {
        reader.raw.add_group_data_beside(&name, &data);
    }
    let hosts: Vec<String> = reader.raw.hosts.keys().cloned().collect();
    for (name, data) in reader.variables(&beside.join("host_vars"), &hosts)? {
        reader.raw.add_host_data(&name, &data);
    }
    mapping::definition(reader.raw)
}

/// Tells what of a source is left out.
pub(super) fn warn_of_left_out(noted: &Noted, source: &str, context: &Context) {
    let Noted { vaulted, cut, repeated, .. } = noted;
    if let Some(Key { at, text }) = repeated.first() {
        let place = Place::new(&source.into(), *at);
        let others = others(repeated.len());
        let message =
            format!("{place}: the key {text:?} is given twice, and its last value counts{others}");
        context.reporter.report("", Event::Warning(&message));
    }
    if let Some(first) = cut.first() {
        let others = others(cut.len());
        let message = format!(
            "{source}:{first}: what follows the # is a comment, for Ansible too: put a value with # in quotes{others}"
        );
        context.reporter.report("", Event::Warning(&message));
    }
    if !vaulted.is_empty() {
        let message = format!(
            "{source}: Ansible Vault encrypted {} of its variables, which are left out: {}",
            vaulted.len(),
            vaulted.join(", ")
        );
        context.reporter.report("", Event::Warning(&message));
    }
}

/// `(and in 2 more)` for 3.
fn others(count: usize) -> String {
    if count > 1 { format!(" (and in {} more)", count - 1) } else { String::new() }
}

struct Reader<'a> {
    raw: Raw,
    readable: &'a mut Vec<PathBuf>,
    context: &'a Context,
}

impl Reader<'_> {
    /// Reads one inventory.
    fn file(&mut self, path: &Path) -> Result<()> {
        let text = plain(path)?;
        let source: Arc<str> = path.display().to_string().into();
        let refused =
            |problem: &str| Err(Error::new(ErrorKind::Inventory, format!("{source}: {problem}")));
        match Format::of(path) {
            Some(format @ (Format::Yaml | Format::Json)) => {
                let node = self.tree(format, &text, &source)?;
                if let Some(at) = plugin(&node) {
                    return Err(Place::new(&source, at).error(
                        "this is for a plugin of Ansible, and plugins are not run here: read what ansible-inventory --list says, from a file or a program",
                    ));
                }
                if listing::is_list(&node) {
                    listing::read(node, &source, &mut self.raw)?;
                } else {
                    yaml::read(node, &source, &mut self.raw)?;
                }
            }
            Some(format) if format.has_tree() => {
                let name = format.name();
                return refused(&format!("Ansible inventories in {name} are not supported"));
            }
            _ if text.starts_with("#!") && file::is_program(path) => {
                return refused("this is a program: write its path without @ansible/ to run it");
            }
            // Without an ending, Ansible tries YAML, too.
            _ if looks_like_yaml(&text) => {
                let node = self.tree(Format::Yaml, &text, &source)?;
                yaml::read(node, &source, &mut self.raw)?;
            }
            _ => ini::read(&text, &source, &mut self.raw)?,
        }
        self.note(path, &source);
        Ok(())
    }

    /// The variables of those names that a folder has files for.
    fn variables(&mut self, folder: &Path, names: &[String]) -> Result<Vec<(String, Data)>> {
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let present: HashSet<String> = entries(folder)?.into_iter().collect();
        let mut all = Vec::new();
        for name in names {
            // Only the first of these is read. A name with a slash is none of a file.
            let known = ["", ".yml", ".yaml", ".json"].map(|ending| format!("{name}{ending}"));
            let Some(found) = known.iter().find(|name| present.contains(*name)) else { continue };
            let path = folder.join(found);
            let files = if path.is_dir() { of_variables(&path, 0)? } else { vec![path] };
            let mut merged = Data::new();
            for file in files {
                merged.merge(&self.data(&file)?);
            }
            all.push((name.clone(), merged));
        }
        Ok(all)
    }

    fn data(&mut self, path: &Path) -> Result<Data> {
        let source: Arc<str> = path.display().to_string().into();
        let is_json = Format::of(path) == Some(Format::Json);
        let format = if is_json { Format::Json } else { Format::Yaml };
        let text = file::text(path)?;
        if is_encrypted(&text) {
            // No one knows what it would say of its hosts, so they are refused when they are used.
            return Ok(Data::new().with(ENCRYPTED_FILE, unusable::value(encrypted(path))));
        }
        let node = self.tree(format, &text, &source)?;
        let mut reading = Reading::new(&source, &mut self.raw);
        let data = reading.variables(node);
        reading.finish()?;
        self.note(path, &source);
        Ok(data)
    }

    fn tree(&mut self, format: Format, text: &str, source: &Arc<str>) -> Result<Node> {
        let document = format.read(text, Dialect::Ansible, source)?;
        self.raw.noted.repeated.extend(document.repeated);
        Ok(document.node)
    }

    /// Tells what was noted of a file.
    fn note(&mut self, path: &Path, source: &str) {
        let noted = std::mem::take(&mut self.raw.noted);
        warn_of_left_out(&noted, source, self.context);
        if noted.has_secret && is_readable_by_others(path) {
            self.readable.push(path.to_owned());
        }
    }
}

/// Returns the position at which a file names the plugin to be run with it.
fn plugin(node: &Node) -> Option<Position> {
    let Kind::Map(entries) = &node.kind else { return None };
    let is_plugin =
        |(key, value): &&(Key, Node)| key.text == "plugin" && matches!(value.kind, Kind::String(_));
    entries.iter().find(is_plugin).map(|(key, _)| key.at)
}

/// Returns whether the first line that says anything begins a document of YAML, or is a key alone.
fn looks_like_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let is_key = |line: &str| {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        word.ends_with(':') && (rest.is_empty() || rest.starts_with('#'))
    };
    first.is_some_and(|line| line.starts_with("---") || is_key(line))
}

/// A text that is not encrypted.
fn plain(path: &Path) -> Result<String> {
    let text = file::text(path)?;
    match is_encrypted(&text) {
        true => Err(Error::new(ErrorKind::Inventory, encrypted(path))),
        false => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
    }
}

fn is_encrypted(text: &str) -> bool {
    text.strip_prefix('\u{feff}').unwrap_or(text).starts_with("$ANSIBLE_VAULT")
}

fn encrypted(path: &Path) -> String {
    let path = path.display();
    one_line(format!(
        "{path}: it is encrypted by Ansible Vault, which is not opened here: give secrets as KEY_command or KEY_file"
    ))
}

/// The names in a directory that are text, in order.
fn entries(path: &Path) -> Result<Vec<String>> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Inventory, format!("{}: {error}", path.display()))
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        names.extend(entry.map_err(unreadable)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn too_deep(path: &Path) -> Error {
    let message = format!("{}: directories are in one another too deeply", path.display());
    Error::new(ErrorKind::Inventory, message)
}

/// The inventories of a directory and of those in it, without what Ansible leaves out too
/// (`INVENTORY_IGNORE_EXTS`).
fn inventories(path: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    const ENDINGS: [&str; 12] = [
        "~", ".bak", ".cfg", ".md", ".orig", ".pyc", ".pyo", ".retry", ".rpm", ".rst", ".swp",
        ".txt",
    ];
    const FOLDERS: [&str; 3] = ["group_vars", "host_vars", "vars_plugins"];
    if depth > DEEPEST {
        return Err(too_deep(path));
    }
    let mut files = Vec::new();
    for name in entries(path)? {
        let is_left_out = name.starts_with('.')
            || FOLDERS.contains(&name.as_str())
            || ENDINGS.iter().any(|ending| name.ends_with(ending));
        let file = path.join(name);
        if is_left_out {
            continue;
        } else if file.is_dir() {
            files.extend(inventories(&file, depth + 1)?);
        } else if file.is_file() {
            files.push(file);
        }
    }
    Ok(files)
}

/// The files of variables in a directory and in those in it whose names have no ending.
fn of_variables(path: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    if depth > DEEPEST {
        return Err(too_deep(path));
    }
    let mut files = Vec::new();
    for name in entries(path)? {
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let file = path.join(name);
        let ending = file.extension().map(|ending| ending.to_string_lossy().into_owned());
        match ending.as_deref() {
            None if file.is_dir() => files.extend(of_variables(&file, depth + 1)?),
            None | Some("yml" | "yaml" | "json") if file.is_file() => files.push(file),
            _ => {}
        }
    }
    Ok(files)
}
