//! Inventories of Ansible: INI, YAML, what a program prints for `--list`, `group_vars` and `host_vars`.

mod ini;
mod listing;
mod mapping;
mod raw;
mod yaml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::{
    Connector, Context, Data, DataField, Error, ErrorKind, GroupData, Listing, NameData, Result,
};

use crate::definition::{ALL, Definition};
use crate::format::Format;
use crate::place::Faults;
use crate::{source, tree};

pub(crate) use listing::{is_list, of_list};
use raw::Raw;

/// `@ansible/PATH`: the hosts of an inventory of Ansible, with their groups.
///
/// What connects, who logs in and who commands run as is translated (`ansible_host`, `ansible_become` …); other variables are
/// the host's data as they are. Templates are not evaluated, and vaults not opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnsibleConnector;

#[async_trait]
impl Connector for AnsibleConnector {
    fn name(&self) -> &'static str {
        "ansible"
    }

    fn description(&self) -> &'static str {
        "Hosts of an inventory of Ansible, INI or YAML: @ansible/PATH."
    }

    fn handles_execution(&self) -> bool {
        false
    }

    /// The files are the user's own.
    fn is_trusted(&self) -> bool {
        true
    }

    fn data_fields(&self) -> &'static [DataField] {
        &[]
    }

    async fn make_names_data(
        &self,
        argument: Option<&str>,
        context: &Context,
    ) -> Result<Vec<NameData>> {
        Ok(self.list(argument, context).await?.hosts)
    }

    async fn list(&self, argument: Option<&str>, _: &Context) -> Result<Listing> {
        let path = argument.filter(|path| !path.is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::Inventory, "@ansible needs a path: @ansible/PATH")
        })?;
        Ok(listed(read(Path::new(path))?))
    }
}

fn listed(definition: Definition) -> Listing {
    let mut listing = Listing::default();
    let all = GroupData { name: ALL.into(), data: definition.data, ..GroupData::default() };
    listing.groups.push(all);
    let mut hosts: indexmap::IndexMap<String, NameData> = (definition.hosts.into_iter())
        .map(|host| {
            let listed =
                NameData { data: host.data, target: host.target, ..NameData::new(&host.name) };
            (host.name, listed)
        })
        .collect();
    for (name, group) in definition.groups {
        for host in &group.hosts {
            if let Some(listed) = hosts.get_mut(&host.name) {
                listed.groups.push(name.clone());
            }
        }
        let children = group.children.into_iter().map(|child| child.name).collect();
        listing.groups.push(GroupData { name, data: group.data, children });
    }
    listing.hosts = hosts.into_values().collect();
    listing
}

/// Reads an inventory of Ansible, a file or a directory, with the `group_vars` and `host_vars` beside it.
pub(crate) fn read(path: &Path) -> Result<Definition> {
    let mut raw = Raw::default();
    let beside = if path.is_dir() {
        for file in files(path)? {
            file_into(&file, &mut raw)?;
        }
        path
    } else {
        file_into(path, &mut raw)?;
        path.parent().unwrap_or(Path::new(""))
    };
    for (folder, of_groups) in [("group_vars", true), ("host_vars", false)] {
        variables(&beside.join(folder), of_groups, &mut raw)?;
    }
    mapping::definition(raw, &path.display().to_string().into())
}

/// Reads the text of an INI file alone.
pub(crate) fn of_ini(text: &str, source: &Arc<str>) -> Result<Definition> {
    let mut raw = Raw::default();
    ini::read(text, source, &mut raw)?;
    mapping::definition(raw, source)
}

fn file_into(path: &Path, raw: &mut Raw) -> Result<()> {
    let text = plain(path)?;
    let source: Arc<str> = path.display().to_string().into();
    match Format::of(path) {
        Some(Format::Toml) => Err(Error::new(
            ErrorKind::Inventory,
            format!("{source}: Ansible's inventories in TOML are not read here"),
        )),
        Some(format) => {
            let node = format.read(&text, &source)?;
            if is_list(&node) {
                listing::read(node, &source, raw)
            } else {
                yaml::read(node, &source, raw)
            }
        }
        // Without an ending, Ansible tries YAML, too.
        None if text.trim_start().starts_with("---") || text.starts_with("all:") => {
            yaml::read(Format::Yaml.read(&text, &source)?, &source, raw)
        }
        None => ini::read(&text, &source, raw),
    }
}

/// A text that is not encrypted.
fn plain(path: &Path) -> Result<String> {
    let text = source::text(path)?;
    if text.starts_with("$ANSIBLE_VAULT") {
        let message = format!(
            "{}: it is encrypted by Ansible Vault, which is not opened here: give secrets as KEY_command or KEY_file",
            path.display()
        );
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    Ok(text)
}

/// The inventories of a directory, by their names, without what Ansible leaves out too (`INVENTORY_IGNORE_EXTS`).
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Inventory, format!("{}: {error}", path.display()))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let endings = [
            "~",
            ".bak",
            ".cfg",
            ".ini.orig",
            ".md",
            ".orig",
            ".pyc",
            ".pyo",
            ".retry",
            ".rst",
            ".swp",
            ".txt",
        ];
        let is_left_out =
            name.starts_with('.') || endings.iter().any(|ending| name.ends_with(ending));
        if file.is_file() && !is_left_out {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The variables of a folder: `NAME`, `NAME.yml`, `NAME.yaml`, `NAME.json`, or files of these kinds in a directory `NAME`.
fn variables(folder: &Path, of_groups: bool, raw: &mut Raw) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Inventory, format!("{}: {error}", folder.display()))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let endings = [".yml", ".yaml", ".json"];
        let owner =
            endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name).to_owned();
        let found = if path.is_dir() { files(&path)? } else { vec![path] };
        for file in found {
            let data = file_data(&file)?;
            if of_groups {
                raw.add_group_data(&owner, &data)
            } else {
                raw.add_host_data(&owner, &data)
            }
        }
    }
    Ok(())
}

fn file_data(path: &Path) -> Result<Data> {
    let source: Arc<str> = path.display().to_string().into();
    let node = Format::of(path).unwrap_or(Format::Yaml).read(&plain(path)?, &source)?;
    let mut faults = Faults::new(&source);
    let data = tree::data(node, &mut faults);
    faults.finish()?;
    Ok(data)
}
