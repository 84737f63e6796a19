//! What Ansible's inventory scripts print for `--list`.

use std::sync::Arc;

use hostlink_core::Result;

use super::mapping;
use super::raw::Raw;
use crate::definition::{ALL, Definition};
use crate::node::{Kind, Node};
use crate::place::Faults;
use crate::tree::{self, group_name_fault, host_name_fault};

const META: &str = "_meta";

/// Whether a tree has this form: it has `_meta`, or lists of hosts by the names of groups.
pub(crate) fn is_list(node: &Node) -> bool {
    let Kind::Map(entries) = &node.kind else { return false };
    let ours = |key: &str| ["data", "hosts", "groups"].contains(&key);
    let is_group = |node: &Node| match &node.kind {
        Kind::List(_) => true,
        Kind::Map(inner) => inner.iter().any(|(key, node)| {
            matches!((key.text.as_str(), &node.kind), ("hosts" | "children", Kind::List(_)))
        }),
        _ => false,
    };
    entries.iter().any(|(key, _)| key.text == META)
        || (entries.iter().all(|(key, _)| !ours(&key.text))
            && entries.iter().any(|(_, node)| is_group(node)))
}

/// Reads what a program printed.
///
/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every fault.
pub(crate) fn of_list(node: Node, source: &Arc<str>) -> Result<Definition> {
    let mut raw = Raw::default();
    read(node, source, &mut raw)?;
    mapping::definition(raw, source)
}

pub(super) fn read(node: Node, source: &Arc<str>, raw: &mut Raw) -> Result<()> {
    let mut faults = Faults::new(source);
    let mut variables = Vec::new();
    for (key, node) in tree::map(node, "an inventory", &mut faults) {
        if key.text == META {
            for (inner, node) in tree::map(node, META, &mut faults) {
                if inner.text == "hostvars" {
                    variables = tree::map(node, "hostvars", &mut faults);
                }
            }
            continue;
        }
        if let Some(fault) = group_name_fault(&key.text).filter(|_| key.text != ALL) {
            faults.add(key.at, fault);
            continue;
        }
        raw.group(&key.text, key.at);
        let entries = match node.kind {
            Kind::List(_) => vec![(crate::node::Key { at: key.at, text: "hosts".into() }, node)],
            _ => tree::map(node, "a group", &mut faults),
        };
        let known = tree::known(entries, &["hosts", "vars", "children"], "a group", &mut faults);
        for (inner, node) in known {
            match inner.text.as_str() {
                "vars" => {
                    let data = tree::data(node, &mut faults);
                    raw.add_group_data(&key.text, &data);
                }
                "hosts" => {
                    for item in tree::list(node, "hosts", &mut faults) {
                        let at = item.at;
                        let name = tree::text(item, "a host", &mut faults).unwrap_or_default();
                        match host_name_fault(&name) {
                            Some(fault) => faults.add(at, fault),
                            None => raw.add_host(&name, &key.text, &hostlink_core::Data::new(), at),
                        }
                    }
                }
                _ => {
                    for item in tree::list(node, "children", &mut faults) {
                        let at = item.at;
                        if let Some(child) = tree::text(item, "a child", &mut faults) {
                            raw.add_child(&key.text, &child, at);
                        }
                    }
                }
            }
        }
    }
    for (key, node) in variables {
        let data = tree::data(node, &mut faults);
        raw.add_host_data(&key.text, &data);
    }
    faults.finish()
}
