//! `hostlink TARGETS inventory`: the hosts as a table, a tree, or JSON.

use std::fmt::Write;

use hostlink::inventory::{ALL, Host, Inventory};
use serde_json::json;

use crate::explain::flatten;

/// One object a line: host, connector, groups and data.
pub(crate) fn json(inventory: &Inventory) -> String {
    let object = |host: &Host| {
        let object = json!({
            "host": host.name(),
            "connector": host.connector(),
            "groups": host.groups(),
            "data": host.data().masked(),
        });
        format!("{object}\n")
    };
    inventory.hosts().map(object).collect()
}

/// A line for each host.
pub(crate) fn table(inventory: &Inventory) -> String {
    let own = |host: &Host| {
        // What every host is in, and what the second column says, is left out.
        let connector = format!("@{}", host.connector());
        let groups = host.groups();
        let groups: Vec<&str> =
            groups.into_iter().filter(|group| *group != ALL && *group != connector).collect();
        groups.join(",")
    };
    let mut rows = vec![["HOST".to_owned(), "CONNECTOR".to_owned(), "GROUPS".to_owned()]];
    rows.extend(
        inventory.hosts().map(|host| {
            [flatten(host.name()), format!("@{}", host.connector()), flatten(&own(host))]
        }),
    );
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let lines = rows.iter().map(|[name, connector, groups]| {
        let line = format!("{name:first$}  {connector:second$}  {groups}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// The groups, with their hosts and the groups in them.
pub(crate) fn graph(inventory: &Inventory) -> String {
    let mut text = format!("{ALL}\n");
    let top = inventory.children(ALL);
    let is_alone =
        |host: &&Host| host.groups().iter().all(|group| *group == ALL || group.starts_with('@'));
    let alone: Vec<&Host> = inventory.hosts().filter(is_alone).collect();
    let shown: Vec<&str> = top
        .into_iter()
        .filter(|name| !name.starts_with('@') && has_hosts(inventory, name))
        .collect();
    branch(inventory, &alone, &shown, "", &mut text);
    text
}

fn has_hosts(inventory: &Inventory, group: &str) -> bool {
    inventory.group(group).next().is_some()
}

fn branch(
    inventory: &Inventory,
    hosts: &[&Host],
    groups: &[&str],
    indent: &str,
    text: &mut String,
) {
    let last = hosts.len() + groups.len();
    let arm = |at: usize| if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
    for (index, host) in hosts.iter().enumerate() {
        let (arm, _) = arm(index + 1);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{indent}{arm}{}", flatten(host.name()));
    }
    for (index, group) in groups.iter().enumerate() {
        let (arm, further) = arm(hosts.len() + index + 1);
        let _ = writeln!(text, "{indent}{arm}{}:", flatten(group));
        let own: Vec<&Host> = inventory.own_hosts(group).collect();
        let children = inventory.children(group);
        let children: Vec<&str> =
            children.into_iter().filter(|name| has_hosts(inventory, name)).collect();
        branch(inventory, &own, &children, &format!("{indent}{further}"), text);
    }
}
