//! Inventories as files: Ansible's INI, and the tree in TOML, YAML and JSON.

use hostlink_core::Result;
use hostlink_inventory::{Definition, Format, expand};

use crate::{Outcome, Verdict, one_line, prints_and_parses_to_the_same};

/// How many hosts are printed and read again.
const MOST_PRINTED: usize = 20_000;

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

/// What is read is printed, and parses to the same; its hosts have names, which stand for
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
            other => return Err(format!("the host {:?} stands for {other:?}", host.name)),
        }
    }
    // A million hosts of one range would be printed and read for a minute without optimizations,
    // and differ in nothing but their numbers.
    if count <= MOST_PRINTED {
        prints_and_parses_to_the_same(&definition)?;
    }
    Ok(Verdict::Accepted)
}
