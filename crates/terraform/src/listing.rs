//! From the resources of a state to hosts: their addresses, names and groups.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hostlink_core::{Context, Error, ErrorKind, Event, NameData, Result, Value};

use crate::kinds::{Kind, kind};
use crate::resources::Resource;
use crate::source::Source;
use crate::tree::{flat, get, text, texts};
use crate::words;

/// The hosts among the resources, in their order.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: there are none, or two would have the same name.
pub(crate) fn hosts(
    resources: &[Resource],
    source: &Source,
    context: &Context,
) -> Result<Vec<NameData>> {
    let mut machines = Vec::new();
    let mut left_out = Vec::new();
    for resource in resources {
        let Some(kind) = kind(&resource.kind) else { continue };
        match Machine::new(resource, kind) {
            Some(machine) => machines.push(machine),
            None => left_out.push(resource.address.as_str()),
        }
    }
    if machines.is_empty() {
        return Err(nothing(resources, &left_out, source));
    }
    for address in left_out {
        let note = format!(
            "{source}: {address} is left out: it has no address, so it is stopped or not made yet"
        );
        context.reporter.report("@terraform", Event::Notice(&note));
    }
    let names = names(&machines);
    check_names(&machines, &names, source)?;
    Ok(machines.iter().zip(names).map(|(machine, name)| machine.host(name)).collect())
}

/// A resource that can be reached.
struct Machine<'a> {
    resource: &'a Resource,
    kind: &'static Kind,
    addresses: Vec<String>,
    /// The name of the connector's own, where it is not over SSH.
    target: Option<String>,
}

impl<'a> Machine<'a> {
    /// `None` if it has no address.
    fn new(resource: &'a Resource, kind: &'static Kind) -> Option<Self> {
        let addresses = addresses(resource, kind);
        let target = kind.connector.and_then(|connector| {
            let name = text(&resource.attributes, "name")?;
            // The provider's own names are that plain; what is not must not be taken for a chain.
            words::is_plain(name).then(|| format!("@{connector}/{name}"))
        });
        let is_reached = target.is_some() || !addresses.is_empty();
        is_reached.then_some(Self { resource, kind, addresses, target })
    }

    /// The name that its owner has given it.
    fn own_name(&self) -> Option<String> {
        let names = self.kind.names.iter();
        let mut found = names.flat_map(|path| texts(&self.resource.attributes, path));
        found.find_map(|name| Some(words::host_name(name)).filter(|name| !name.is_empty()))
    }

    /// The name by its place in the configuration.
    fn place_name(&self) -> String {
        words::host_name(&self.resource.address)
    }

    fn host(&self, name: String) -> NameData {
        let resource = self.resource;
        let mut host = NameData::new(name);
        if let Some(address) = self.addresses.first() {
            host = host.with_data("ssh_hostname", address.as_str());
        }
        host = host
            .with_data("terraform_address", resource.address.as_str())
            .with_data("terraform_type", resource.kind.as_str());
        if let Some(id) = text(&resource.attributes, "id") {
            host = host.with_data("terraform_id", id);
        }
        if !self.addresses.is_empty() {
            let all = self.addresses.iter().map(|it| Value::from(it.as_str())).collect::<Vec<_>>();
            host = host.with_data("terraform_addresses", all);
        }
        if resource.is_tainted {
            host = host.with_data("terraform_tainted", true);
        }
        host.target.clone_from(&self.target);
        host.groups = groups(resource, self.kind);
        host
    }
}

/// IPv4 before IPv6, in the order of the row; where one attribute has several, public ones first.
fn addresses(resource: &Resource, kind: &Kind) -> Vec<String> {
    let mut found: Vec<IpAddr> = Vec::new();
    for path in kind.addresses {
        let mut here: Vec<IpAddr> =
            texts(&resource.attributes, path).into_iter().filter_map(address).collect();
        here.sort_by_key(is_private);
        found.extend(here);
    }
    found.sort_by_key(IpAddr::is_ipv6);
    let mut known = BTreeSet::new();
    found.retain(|address| known.insert(*address));
    found.iter().map(IpAddr::to_string).collect()
}

/// Providers write IPv6 in brackets (OpenStack) and with a prefix's length (Linode). Addresses that
/// only the machine itself can reach, and those of machines that are not made yet (0.0.0.0), are
/// left out.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split('/').next().unwrap_or(text).trim_matches(['[', ']']);
    let address: IpAddr = text.parse().ok()?;
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let is_useless = address.is_loopback() || address.is_unspecified() || is_link_local;
    (!is_useless).then_some(address)
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

/// The names of the machines: each one's own; followed by its key if several have the same; or by
/// its place in the configuration if that is not unique either.
fn names(machines: &[Machine<'_>]) -> Vec<String> {
    let own: Vec<String> =
        machines.iter().map(|it| it.own_name().unwrap_or_else(|| it.place_name())).collect();
    let counts = counted(&own);
    let with_key = |(machine, name): (&Machine<'_>, &String)| match &machine.resource.key {
        Some(key) if counts[name.as_str()] > 1 => words::host_name(&format!("{name}-{key}")),
        _ => name.clone(),
    };
    let keyed: Vec<String> = machines.iter().zip(&own).map(with_key).collect();
    let counts = counted(&keyed);
    let unique = |(machine, name): (&Machine<'_>, &String)| match counts[name.as_str()] {
        1 => name.clone(),
        _ => machine.place_name(),
    };
    machines.iter().zip(&keyed).map(unique).collect()
}

fn counted(names: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

fn check_names(machines: &[Machine<'_>], names: &[String], source: &Source) -> Result<()> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (machine, name) in machines.iter().zip(names) {
        let address = &machine.resource.address;
        if let Some(other) = known.insert(name, address) {
            let message = format!(
                "{source}: {other} and {address} would both be called {name}: give them names or tags that differ"
            );
            return Err(Error::new(ErrorKind::Inventory, message));
        }
    }
    Ok(())
}

/// The type, every module on the way, and each tag.
fn groups(resource: &Resource, kind: &Kind) -> Vec<String> {
    let mut groups = vec![resource.kind.clone()];
    groups.extend(modules(&resource.module));
    for path in kind.tags {
        let tags = get(&resource.attributes, path).into_iter().flat_map(flat).flat_map(tags);
        groups.extend(tags.map(|tag| words::group_name(&format!("tag_{tag}"))));
    }
    let mut known = BTreeSet::new();
    groups.retain(|group| known.insert(group.clone()));
    groups
}

/// `module.a` and `module.a.module.b` for `module.a["k"].module.b[0]`.
fn modules(path: &str) -> Vec<String> {
    let plain = without_keys(path);
    let ends = plain.match_indices(".module.").map(|(at, _)| at).chain([plain.len()]);
    ends.filter(|end| *end > 0).map(|end| words::group_name(&plain[..end])).collect()
}

/// Keys may hold anything, quoted as in the configuration.
fn without_keys(path: &str) -> String {
    let (mut plain, mut is_key, mut is_quoted, mut is_escaped) =
        (String::new(), false, false, false);
    for character in path.chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '[' if !is_quoted => is_key = true,
            ']' if !is_quoted => is_key = false,
            _ if !is_key => plain.push(character),
            _ => {}
        }
    }
    plain
}

/// `KEY_VALUE` of a map's entries and of Docker's labels, the words of a list or a text. AWS's
/// `Name` is the name.
fn tags(value: &Value) -> Vec<String> {
    match value {
        // Proxmox (telmate) has one text.
        Value::String(text) => text
            .split([';', ','])
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect(),
        Value::Map(entries) => match (text(value, "label"), text(value, "value")) {
            (Some(label), Some(value)) if entries.len() == 2 => vec![pair(label, value)],
            _ => entries
                .iter()
                .filter(|(key, _)| *key != "Name")
                .filter_map(|(key, value)| match value {
                    Value::String(value) => Some(pair(key, value)),
                    _ => None,
                })
                .collect(),
        },
        _ => Vec::new(),
    }
}

fn pair(key: &str, value: &str) -> String {
    if value.is_empty() { key.to_owned() } else { format!("{key}_{value}") }
}

fn nothing(resources: &[Resource], left_out: &[&str], source: &Source) -> Error {
    let why = if !left_out.is_empty() {
        format!("none of its machines has an address ({})", words::listed(left_out))
    } else if resources.is_empty() {
        "no resource either; is it applied?".to_owned()
    } else {
        let mut types: Vec<&str> = resources.iter().map(|it| it.kind.as_str()).collect();
        types.sort_unstable();
        types.dedup();
        format!("no resource of a type that is known as a machine ({})", words::listed(&types))
    };
    let message =
        format!("{source}: there is no output hostlink_inventory or pyinfra_inventory, and {why}");
    Error::new(ErrorKind::Inventory, message)
}
