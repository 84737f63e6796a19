//! The tree of an inventory file: which keys it has, and what their values are.

use hostlink_core::{Data, before_links, nearest};

use crate::definition::{ALL, Child, Definition, GroupDefinition, HostDefinition};
use crate::node::{Key, Kind, Node};
use crate::place::{Faults, Position};
use crate::range::{Ranges, may_be_range};

const DATA: &str = "data";
const HOSTS: &str = "hosts";
const GROUPS: &str = "groups";
const CHILDREN: &str = "children";
const NAME: &str = "name";
const TARGET: &str = "target";

pub(crate) fn definition(node: Node, faults: &mut Faults) -> Definition {
    let mut definition = Definition::default();
    let mut ranges = Ranges::default();
    let entries = map(node, "an inventory", faults);
    for (key, value) in known(entries, &[DATA, HOSTS, GROUPS], "an inventory", faults) {
        match key.text.as_str() {
            DATA => definition.data = data(value, faults),
            HOSTS => definition.hosts = hosts(value, &mut ranges, faults),
            _ => {
                for (key, value) in map(value, GROUPS, faults) {
                    check_group_name(&key, faults);
                    let group = group(value, key.at, &mut ranges, faults);
                    definition.groups.insert(key.text, group);
                }
            }
        }
    }
    definition
}

/// Returns why this can be no group's name: a limit could not name it.
pub(crate) fn group_name_fault(name: &str) -> Option<String> {
    if name == ALL {
        return Some("all is the group of every host: its data is at the top".to_owned());
    }
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || ",:!&*?[]/".contains(c);
    (name.is_empty() || name.contains(is_bad)).then(|| {
        format!("{name:?} is not a valid group name: no white space, and none of , : ! & * ? [ ] /")
    })
}

fn check_group_name(key: &Key, faults: &mut Faults) {
    if let Some(fault) = group_name_fault(&key.text) {
        faults.add(key.at, fault);
    }
}

fn group(node: Node, at: Position, ranges: &mut Ranges, faults: &mut Faults) -> GroupDefinition {
    let mut group = GroupDefinition { at, ..GroupDefinition::default() };
    let entries = map(node, "a group", faults);
    for (key, value) in known(entries, &[HOSTS, CHILDREN, DATA], "a group", faults) {
        match key.text.as_str() {
            HOSTS => group.hosts = hosts(value, ranges, faults),
            DATA => group.data = data(value, faults),
            _ => {
                for item in list(value, CHILDREN, faults) {
                    let at = item.at;
                    group
                        .children
                        .extend(text(item, "a child", faults).map(|name| Child { name, at }));
                }
            }
        }
    }
    group
}

fn hosts(node: Node, ranges: &mut Ranges, faults: &mut Faults) -> Vec<HostDefinition> {
    let items = list(node, HOSTS, faults);
    let mut hosts = Vec::with_capacity(items.len());
    for item in items {
        host(item, &mut hosts, ranges, faults);
    }
    hosts
}

fn host(node: Node, hosts: &mut Vec<HostDefinition>, ranges: &mut Ranges, faults: &mut Faults) {
    let at = node.at;
    let mut described = HostDefinition { at, ..HostDefinition::default() };
    match node.kind {
        Kind::String(name) => described.name = name,
        Kind::Map(entries) => {
            let before = faults.count();
            for (key, value) in known(entries, &[NAME, TARGET, DATA], "a host", faults) {
                match key.text.as_str() {
                    NAME => described.name = text(value, NAME, faults).unwrap_or_default(),
                    TARGET => described.target = text(value, TARGET, faults),
                    _ => described.data = data(value, faults),
                }
            }
            if described.name.is_empty() {
                if faults.count() == before {
                    faults.add(at, "this host has no name");
                }
                return;
            }
        }
        _ => {
            let (what, hint) = (node.name(), hint(&node));
            faults.add(
                at,
                format_args!(
                    "a host is a name, or a map with name, target and data; this is {what}{hint}"
                ),
            );
            return;
        }
    }
    if let Some(fault) = host_name_fault(&described.name) {
        faults.add(at, fault);
        return;
    }
    if !may_be_range(&described.name) {
        hosts.push(described);
        return;
    }
    // Clones of data share what they hold.
    let beside = described.target.as_ref().map_or(0, String::len);
    match ranges.expand(&described.name, beside) {
        Err(error) => faults.add(at, error),
        Ok(names) => {
            let host = |name| HostDefinition { name, ..described.clone() };
            hosts.extend(names.into_iter().map(host));
        }
    }
}

/// What chooses among hosts is no name of one; what begins with `@` may have it in its argument.
pub(crate) fn pattern_fault(name: &str) -> Option<String> {
    let host = before_links(name);
    let is_bad = !host.starts_with('@') && host.contains(['!', '&', '*', '?']);
    is_bad.then(|| {
        format!("{name:?} is not a valid host name: --limit and --exclude take ! & * and ?")
    })
}

/// A name that a list of targets could not hold either.
pub(crate) fn host_name_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a host has no name".to_owned());
    }
    let is_bad = |c: char| c.is_control() || c.is_whitespace();
    if name.contains(is_bad) {
        return Some(format!("{name:?} is not a valid host name: it has white space"));
    }
    plain_name_fault(name)
}

/// What a connector lists may be called by several words, as pyinfra takes it from Terraform.
pub(crate) fn listed_name_fault(name: &str) -> Option<String> {
    let is_bad = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
    if name.is_empty() || name.trim() != name || name.contains(is_bad) {
        return Some(format!("{name:?} is not a valid host name"));
    }
    plain_name_fault(name)
}

fn plain_name_fault(name: &str) -> Option<String> {
    if name == ALL {
        return Some("all is the group of every host, and the name of none".to_owned());
    }
    pattern_fault(name).or_else(|| directory_fault(name))
}

/// What is made of a name here (`get DEST/{host}`) is not to be a directory that is there. What
/// begins with `@` may be a path.
pub(crate) fn directory_fault(name: &str) -> Option<String> {
    let host = before_links(name);
    let is_bad = !host.starts_with('@') && host.split('/').any(|part| [".", ".."].contains(&part));
    is_bad.then(|| format!("{name:?} is not a valid host name: it would be a directory's"))
}

/// The data of a map.
pub(crate) fn data(node: Node, faults: &mut Faults) -> Data {
    map(node, DATA, faults).into_iter().map(|(key, value)| (key.text, value.into_value())).collect()
}

/// Takes no value for an empty map, as `data:` in YAML.
pub(crate) fn map(node: Node, what: &str, faults: &mut Faults) -> Vec<(Key, Node)> {
    match node.kind {
        Kind::Map(entries) => entries,
        Kind::Null => Vec::new(),
        _ => {
            faults.add(node.at, format_args!("{what} is a map, and this is {}", node.name()));
            Vec::new()
        }
    }
}

pub(crate) fn list(node: Node, what: &str, faults: &mut Faults) -> Vec<Node> {
    match node.kind {
        Kind::List(items) => items,
        Kind::Null => Vec::new(),
        _ => {
            faults.add(node.at, format_args!("{what} is a list, and this is {}", node.name()));
            Vec::new()
        }
    }
}

pub(crate) fn text(node: Node, what: &str, faults: &mut Faults) -> Option<String> {
    match node.kind {
        Kind::String(text) => Some(text),
        _ => {
            let what_it_is = node.name();
            faults.add(
                node.at,
                format_args!("{what} is text, and this is {what_it_is}{}", hint(&node)),
            );
            None
        }
    }
}

/// `yes`, `1e3` and `0x10` may be names, and are read as something else.
fn hint(node: &Node) -> &'static str {
    match node.kind {
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => ": put it in quotes",
        _ => "",
    }
}

/// The entries whose keys are known; the others are faults.
pub(crate) fn known(
    mut entries: Vec<(Key, Node)>,
    keys: &[&str],
    what: &str,
    faults: &mut Faults,
) -> Vec<(Key, Node)> {
    entries.retain(|(key, _)| {
        let is_known = keys.contains(&key.text.as_str());
        if !is_known {
            let hint = nearest::hint(&key.text, keys.iter().copied());
            let hint =
                if hint.is_empty() { format!("; there are {}", keys.join(", ")) } else { hint };
            faults.add(key.at, format_args!("{what} has no key {:?}{hint}", key.text));
        }
        is_known
    });
    entries
}

#[cfg(test)]
mod tests {
    use crate::{Definition, Format};

    fn refused(text: &str) -> String {
        Definition::read(text, Format::Yaml, "f").unwrap_err().to_string()
    }

    #[test]
    fn a_host_without_a_name_is_refused() {
        for text in ["hosts: ['']", "hosts: [{name: ''}]", "hosts: [{data: {a: 1}}]"] {
            assert!(refused(text).ends_with("no name"), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn few_lines_do_not_become_more_hosts_than_there_is_memory_for() {
        let error = refused("hosts: ['a[1-600000]']\ngroups: {g: {hosts: ['b[1-600000]']}}");
        assert!(error.starts_with("f:2:22: b[1-600000]: 1200000 names are more than"), "{error}");
        let target = "t".repeat(3000);
        let error = refused(&format!("hosts: [{{name: 'a[1-900000]', target: {target}}}]"));
        assert!(error.contains("take more than 256 MiB"), "{error}");
        // Data are shared.
        let data = "d".repeat(3000);
        let text = format!("hosts: [{{name: 'a[1-100000]', data: {{k: {data}}}}}]");
        assert_eq!(Definition::read(&text, Format::Yaml, "f").unwrap().hosts.len(), 100_000);
    }

    #[test]
    fn errors_are_one_line_whatever_stands_in_a_text() {
        let error = refused("hosts: [\"a\\n[1\", \"b\\x07]\"]\n\"k\\n\": 1\n");
        assert!(!error.contains(char::is_control), "{error:?}");
        assert!(error.contains("f:1:9: ") && error.contains("f:2:1: "), "{error}");
    }
}
