//! Inventories of Ansible: INI, YAML, what a program prints for `--list`, `group_vars` and
//! `host_vars`.

mod arguments;
mod files;
mod ini;
mod listing;
mod literal;
mod mapping;
mod meaning;
mod raw;
mod reading;
mod script;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::{
    About, Connector, Context, Error, ErrorKind, GroupData, Kind, Listing, NameData, Result,
};

use crate::definition::{ALL, Definition};
use crate::secrets::warn_of_readable;

pub(crate) use files::read;
pub(crate) use listing::is_list;
use raw::Raw;
pub(crate) use script::of_list;

/// `@ansible/PATH`: the hosts of an inventory of Ansible, with their groups.
///
/// What connects, who logs in and who commands run as is translated (`ansible_host`,
/// `ansible_become` …); other variables are the host's data as they are. Templates are not
/// evaluated, and vaults not opened: variables that Ansible Vault encrypted are left out, with a
/// warning.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnsibleConnector;

#[async_trait]
impl Connector for AnsibleConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "ansible",
            description: "Hosts of an inventory of Ansible, INI or YAML: @ansible/PATH.",
            fields: &[],
            // The files are the user's own.
            kind: Kind::Lists { trusted: true, reads_only_files: true },
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        let path = argument.filter(|path| !path.is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::Inventory, "@ansible needs a path: @ansible/PATH")
        })?;
        let mut readable = Vec::new();
        let definition = read(Path::new(path), &mut readable, context)?;
        warn_of_readable(&readable, context);
        Ok(listed(definition))
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

/// Reads the text of an INI file alone.
pub(crate) fn of_ini(text: &str, source: &Arc<str>) -> Result<Definition> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut raw = Raw::default();
    ini::read(text, source, &mut raw)?;
    mapping::definition(raw)
}
