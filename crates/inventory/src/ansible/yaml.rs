//! Ansible's YAML format (`ansible.builtin.yaml`), in JSON too.

use std::sync::Arc;

use hostlink_core::{Data, Result};

use super::raw::Raw;
use super::reading::Reading;
use crate::definition::ALL;
use crate::node::{BYTES_OF_A_VALUE, Key, Kind, Node};
use crate::tree::{self, group_name_fault};

/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every fault.
pub(super) fn read(node: Node, source: &Arc<str>, raw: &mut Raw) -> Result<()> {
    let mut reading = Reading::new(source, raw);
    for (key, node) in tree::map(node, "an inventory", &mut reading.faults) {
        group(&key, node, &mut reading);
    }
    reading.finish()
}

fn group(key: &Key, node: Node, reading: &mut Reading<'_>) {
    let name = &key.text;
    if let Some(fault) = group_name_fault(name).filter(|_| name != ALL) {
        reading.faults.add(key.at, fault);
        return;
    }
    let place = reading.place(key.at);
    reading.raw.group(name, &place);
    let entries = tree::map(node, "a group", &mut reading.faults);
    let parts = ["hosts", "vars", "children"];
    for (inner, node) in tree::known(entries, &parts, "a group", &mut reading.faults) {
        match inner.text.as_str() {
            "hosts" => hosts(node, name, reading),
            "vars" => {
                let data = reading.variables(node);
                reading.group_data(name, &data, key.at);
            }
            _ => {
                for (child, node) in one_or_more(node, "children", reading) {
                    let place = reading.place(child.at);
                    reading.raw.add_child(name, &child.text, &place);
                    group(&child, node, reading);
                }
            }
        }
    }
}

/// The entries of a map. A single name may be text.
fn one_or_more(node: Node, what: &str, reading: &mut Reading<'_>) -> Vec<(Key, Node)> {
    match node.kind {
        Kind::String(text) => {
            vec![(Key { at: node.at, text }, Node { at: node.at, kind: Kind::Null })]
        }
        _ => tree::map(node, what, &mut reading.faults),
    }
}

fn hosts(node: Node, group: &str, reading: &mut Reading<'_>) {
    for (key, node) in one_or_more(node, "hosts", reading) {
        let beside = node.weight() * BYTES_OF_A_VALUE;
        let own = reading.variables(node);
        match reading.hosts(&key.text, beside) {
            Ok((names, port)) => {
                let mut data = Data::new();
                if let Some(port) = port {
                    data.insert("ansible_port", port);
                }
                data.merge(&own);
                let place = reading.place(key.at);
                names.iter().for_each(|name| reading.raw.add_host(name, group, &data, &place));
            }
            Err(fault) => reading.faults.add(key.at, fault),
        }
    }
}
