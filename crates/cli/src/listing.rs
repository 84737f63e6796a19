//! `hostlink TARGETS inventory`: the hosts as a table, a tree, or JSON.

use std::collections::{HashMap, HashSet};

use hostlink::inventory::{ALL, Host, Inventory};
use serde_json::json;

use crate::explain::flatten;

/// Returns one object per line: host, connector, groups and data.
pub(crate) fn json(inventory: &Inventory) -> impl Iterator<Item = String> {
    let object = |host: &Host| {
        let mut object = json!({
            "host": host.name(),
            "connector": host.connector(),
            "groups": host.groups(),
            "data": host.data().masked(),
        });
        let problems = host.problems();
        if !problems.is_empty() {
            object["problems"] = problems.into();
        }
        format!("{object}\n")
    };
    inventory.hosts().map(object)
}

/// The maximum width that a long name gives a column; lines with longer names are wider.
const MAX_WIDTH: usize = 64;

/// Returns one line per host.
pub(crate) fn table(inventory: &Inventory) -> String {
    let own = |host: &Host| {
        // The group of all hosts is left out, and so is the connector's, which the second column
        // shows.
        let connector = format!("@{}", host.connector());
        let groups = host.groups();
        let groups: Vec<&str> =
            groups.into_iter().filter(|group| *group != ALL && *group != connector).collect();
        let problems = host.problems();
        match problems.is_empty() {
            true => groups.join(","),
            false => format!("{}  (cannot be used: {})", groups.join(","), problems.join("; ")),
        }
    };
    let mut rows = vec![["HOST".to_owned(), "CONNECTOR".to_owned(), "GROUPS".to_owned()]];
    rows.extend(
        inventory.hosts().map(|host| {
            [flatten(host.name()), format!("@{}", host.connector()), flatten(&own(host))]
        }),
    );
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.filter(|width| *width <= MAX_WIDTH).max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let lines = rows.iter().map(|[name, connector, groups]| {
        let line = format!("{name:first$}  {connector:second$}  {groups}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// Returns the groups with their hosts and subgroups, line by line. The content of a group is
/// listed where the group comes first, and nowhere else: groups in several others would repeat many
/// lines.
pub(crate) fn graph(inventory: &Inventory) -> impl Iterator<Item = String> {
    let graph = Graph::new(inventory);
    std::iter::once(format!("{ALL}\n")).chain(graph)
}

/// What a branch leads to.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Host(&'a Host),
    Group(&'a str),
}

/// The entries of a group that are still to be printed.
struct Branch<'a> {
    entries: std::vec::IntoIter<Entry<'a>>,
    /// The length of the prefix of its lines.
    indent: usize,
}

/// A walk through the groups, with its own stack: groups may be nested deeply.
struct Graph<'a> {
    inventory: &'a Inventory,
    with_hosts: HashSet<&'a str>,
    told: HashSet<&'a str>,
    way: Vec<Branch<'a>>,
    indent: String,
}

impl<'a> Graph<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let with_hosts = with_hosts(inventory);
        let top: Vec<&str> = (inventory.children(ALL).into_iter())
            .filter(|name| !name.starts_with('@') && with_hosts.contains(name))
            .collect();
        let mut shown: HashSet<&str> = top.iter().copied().collect();
        let mut to_see = top.clone();
        while let Some(group) = to_see.pop() {
            to_see
                .extend(inventory.children(group).into_iter().filter(|child| shown.insert(child)));
        }
        let grouped: HashSet<&str> =
            shown.iter().flat_map(|group| inventory.own_hosts(group)).map(Host::name).collect();
        let alone = inventory.hosts().filter(|host| !grouped.contains(host.name()));
        let entries: Vec<Entry<'a>> =
            alone.map(Entry::Host).chain(top.into_iter().map(Entry::Group)).collect();
        let way = vec![Branch { entries: entries.into_iter(), indent: 0 }];
        Self { inventory, with_hosts, told: HashSet::new(), way, indent: String::new() }
    }

    /// Returns the hosts of a group, and its subgroups that have hosts.
    fn entries(&self, group: &str) -> Vec<Entry<'a>> {
        let children = self.inventory.children(group).into_iter();
        let children = children.filter(|child| self.with_hosts.contains(child));
        let hosts = self.inventory.own_hosts(group);
        hosts.map(Entry::Host).chain(children.map(Entry::Group)).collect()
    }
}

impl Iterator for Graph<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let (entry, is_last) = loop {
            let branch = self.way.last_mut()?;
            self.indent.truncate(branch.indent);
            match branch.entries.next() {
                Some(entry) => break (entry, branch.entries.len() == 0),
                None => drop(self.way.pop()),
            }
        };
        let (arm, further) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let indent = &self.indent;
        Some(match entry {
            Entry::Host(host) => format!("{indent}{arm}{}\n", flatten(host.name())),
            Entry::Group(group) if !self.told.insert(group) => {
                format!("{indent}{arm}{}: (see above)\n", flatten(group))
            }
            Entry::Group(group) => {
                let line = format!("{indent}{arm}{}:\n", flatten(group));
                self.indent.push_str(further);
                let entries = self.entries(group).into_iter();
                self.way.push(Branch { entries, indent: self.indent.len() });
                line
            }
        })
    }
}

/// Returns the groups that have hosts, themselves or through subgroups.
fn with_hosts(inventory: &Inventory) -> HashSet<&str> {
    let groups = inventory.groups();
    let mut parents: HashMap<&str, Vec<&str>> = HashMap::new();
    for group in groups.iter().filter(|group| **group != ALL) {
        for child in inventory.children(group) {
            parents.entry(child).or_default().push(group);
        }
    }
    let mut to_see: Vec<&str> =
        groups.into_iter().filter(|group| inventory.own_hosts(group).next().is_some()).collect();
    let mut found: HashSet<&str> = to_see.iter().copied().collect();
    while let Some(group) = to_see.pop() {
        let parents = parents.get(group).into_iter().flatten();
        to_see.extend(parents.copied().filter(|parent| found.insert(parent)));
    }
    found
}
