//! `hostlink TARGETS inventory`: the hosts as a table, a tree, or JSON.

use std::collections::{HashMap, HashSet};

use hostlink::inventory::{ALL, Host, Inventory};
use serde_json::json;

use crate::explain::flatten;

/// One object a line: host, connector, groups and data.
pub(crate) fn json(inventory: &Inventory) -> impl Iterator<Item = String> {
    let object = |host: &Host| {
        let object = json!({
            "host": host.name(),
            "connector": host.connector(),
            "groups": host.groups(),
            "data": host.data().masked(),
        });
        format!("{object}\n")
    };
    inventory.hosts().map(object)
}

/// The widest that a column becomes for the sake of a long name, whose own line is longer then.
const WIDEST: usize = 64;

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
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let lines = rows.iter().map(|[name, connector, groups]| {
        let line = format!("{name:first$}  {connector:second$}  {groups}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// The groups, with their hosts and the groups in them, line by line. What is in a group stands
/// where it comes first, and nowhere else: groups that are in several others would be many times as
/// many lines.
pub(crate) fn graph(inventory: &Inventory) -> impl Iterator<Item = String> {
    let graph = Graph::new(inventory);
    std::iter::once(format!("{ALL}\n")).chain(graph)
}

/// What a branch ends in.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Host(&'a Host),
    Group(&'a str),
}

/// What is still to be told of a group.
struct Branch<'a> {
    entries: std::vec::IntoIter<Entry<'a>>,
    /// The length of what stands in front of its lines.
    indent: usize,
}

/// A walk through the groups. It keeps its own way back, since nobody says how deep they are.
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

    /// The hosts of a group, and the groups in it that have some.
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

/// The groups that have hosts, themselves or by the groups in them.
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
