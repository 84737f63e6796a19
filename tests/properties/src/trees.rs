//! Inventories as files: Ansible's INI, and the tree in TOML, YAML and JSON.

use hostlink_core::Result;
use hostlink_inventory::{Definition, Format, expand};

use crate::{Outcome, Verdict, one_line, prints_and_parses_to_the_same};

/// How many hosts are printed and read again.
const MAX_PRINTED: usize = 20_000;

pub(crate) fn ini(text: &str) -> Outcome {
    of_definition(Definition::read(text, Format::Ini, "fuzz"))
}

pub(crate) fn toml(text: &str) -> Outcome {
    of_definition(Definition::read(text, Format::Toml, "fuzz"))
}

pub(crate) fn yaml(text: &str) -> Outcome {
    of_definition(Definition::read(text, Format::Yaml, "fuzz"))
}

pub(crate) fn json(text: &str) -> Outcome {
    of_definition(Definition::read(text, Format::Json, "fuzz"))
}

/// An inventory that was read is printed and parses to the same. Its hosts have names, which give
/// themselves.
fn of_definition(read: Result<Definition>) -> Outcome {
    let definition = match read {
        Ok(definition) => definition,
        Err(error) => return one_line::rejected(&error),
    };
    let hosts = definition.hosts.iter().chain(definition.groups.values().flat_map(|it| &it.hosts));
    let count = hosts.clone().count();
    for host in hosts.take(1000) {
        match expand(&host.name) {
            Ok(names) if names == [host.name.as_str()] && !host.name.is_empty() => {}
            other => return Err(format!("the host {:?} gives {other:?}", host.name)),
        }
    }
    // In a debug build a million hosts of one range would take a minute to print and read, and they
    // differ only in their numbers.
    if count <= MAX_PRINTED {
        prints_and_parses_to_the_same(&definition)?;
    }
    Ok(Verdict::Accepted)
}
