//! Ansible's YAML format (`ansible.builtin.yaml`), in JSON too.

use std::sync::Arc;

use hostlink_core::{Data, Result};

use super::raw::Raw;
use crate::definition::ALL;
use crate::node::{BYTES_OF_A_VALUE, Key, Kind, Node};
use crate::place::Faults;
use crate::range::Ranges;
use crate::tree::{self, group_name_fault, host_name_fault};

/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every fault.
pub(super) fn read(node: Node, source: &Arc<str>, raw: &mut Raw) -> Result<()> {
    let (mut faults, mut ranges) = (Faults::new(source), Ranges::default());
    for (key, node) in tree::map(node, "an inventory", &mut faults) {
        group(&key, node, raw, &mut ranges, &mut faults);
    }
    faults.finish()
}

fn group(key: &Key, node: Node, raw: &mut Raw, ranges: &mut Ranges, faults: &mut Faults) {
    let name = &key.text;
    if let Some(fault) = group_name_fault(name).filter(|_| name != ALL) {
        faults.add(key.at, fault);
        return;
    }
    raw.group(name, key.at);
    let entries = tree::map(node, "a group", faults);
    for (inner, node) in tree::known(entries, &["hosts", "vars", "children"], "a group", faults) {
        match inner.text.as_str() {
            "hosts" => hosts(node, name, raw, ranges, faults),
            "vars" => {
                let data = tree::data(node, faults);
                raw.add_group_data(name, &data);
            }
            _ => {
                for (child, node) in tree::map(node, "children", faults) {
                    raw.add_child(name, &child.text, child.at);
                    group(&child, node, raw, ranges, faults);
                }
            }
        }
    }
}

fn hosts(node: Node, group: &str, raw: &mut Raw, ranges: &mut Ranges, faults: &mut Faults) {
    // A single one may be text.
    let entries = match node.kind {
        Kind::String(text) => {
            vec![(Key { at: node.at, text }, Node { at: node.at, kind: Kind::Null })]
        }
        _ => tree::map(node, "hosts", faults),
    };
    for (key, node) in entries {
        let beside = node.weight() * BYTES_OF_A_VALUE;
        let data: Data = tree::data(node, faults);
        let names = match host_name_fault(&key.text) {
            Some(fault) => Err(fault),
            None => ranges.expand(&key.text, beside).map_err(|error| error.to_string()),
        };
        match names {
            Ok(names) => names.iter().for_each(|name| raw.add_host(name, group, &data, key.at)),
            Err(fault) => faults.add(key.at, fault),
        }
    }
}
