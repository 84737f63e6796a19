//! The output of Ansible's inventory scripts for `--list`.

use std::sync::Arc;

use hostlink_core::{Data, Result};
use indexmap::IndexSet;

use super::raw::Raw;
use super::reading::Reading;
use crate::definition::ALL;
use crate::node::{Key, Kind, Node};
use crate::tree::{self, group_name_fault, host_name_fault};

const META: &str = "_meta";

/// Returns whether a tree has this form: it has `_meta`, or lists of hosts by the names of groups.
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

/// The names of the hosts that a tree of this form names, unless it has `_meta`, where their
/// variables are.
pub(super) fn hosts_to_ask(node: &Node) -> Vec<String> {
    let Kind::Map(entries) = &node.kind else { return Vec::new() };
    if entries.iter().any(|(key, _)| key.text == META) {
        return Vec::new();
    }
    let lists = entries.iter().filter_map(|(_, group)| match &group.kind {
        Kind::List(hosts) => Some(hosts),
        Kind::Map(inner) => inner.iter().find_map(|(key, node)| match &node.kind {
            Kind::List(hosts) if key.text == "hosts" => Some(hosts),
            _ => None,
        }),
        _ => None,
    });
    let names = lists.flatten().filter_map(|host| match &host.kind {
        Kind::String(name) if host_name_fault(name).is_none() => Some(name.clone()),
        _ => None,
    });
    names.collect::<IndexSet<String>>().into_iter().collect()
}

pub(super) fn read(node: Node, source: &Arc<str>, raw: &mut Raw) -> Result<()> {
    let mut reading = Reading::new(source, raw);
    let mut variables = Vec::new();
    for (key, node) in tree::map(node, "an inventory", &mut reading.faults) {
        if key.text == META {
            for (inner, node) in tree::map(node, META, &mut reading.faults) {
                if inner.text == "hostvars" {
                    variables = tree::map(node, "hostvars", &mut reading.faults);
                }
            }
            continue;
        }
        if let Some(fault) = group_name_fault(&key.text).filter(|_| key.text != ALL) {
            reading.faults.add(key.at, fault);
            continue;
        }
        group(&key, node, &mut reading);
    }
    for (key, node) in variables {
        let data = reading.variables(node);
        reading.raw.add_host_data(&key.text, &data);
    }
    reading.finish()
}

fn group(key: &Key, node: Node, reading: &mut Reading<'_>) {
    let (name, place) = (&key.text, reading.place(key.at));
    reading.raw.group(name, &place);
    let entries = match node.kind {
        Kind::List(_) => vec![(Key { at: key.at, text: "hosts".into() }, node)],
        _ => tree::map(node, "a group", &mut reading.faults),
    };
    let parts = ["hosts", "vars", "children"];
    for (inner, node) in tree::known(entries, &parts, "a group", &mut reading.faults) {
        match inner.text.as_str() {
            "vars" => {
                let data = reading.variables(node);
                reading.group_data(name, &data, key.at);
            }
            "hosts" => {
                for item in tree::list(node, "hosts", &mut reading.faults) {
                    let place = reading.place(item.at);
                    let at = item.at;
                    let host = tree::text(item, "a host", &mut reading.faults).unwrap_or_default();
                    match host_name_fault(&host) {
                        Some(fault) => reading.faults.add(at, fault),
                        None => reading.raw.add_host(&host, name, &Data::new(), &place),
                    }
                }
            }
            _ => {
                for item in tree::list(node, "children", &mut reading.faults) {
                    let place = reading.place(item.at);
                    if let Some(child) = tree::text(item, "a child", &mut reading.faults) {
                        reading.raw.add_child(name, &child, &place);
                    }
                }
            }
        }
    }
}
