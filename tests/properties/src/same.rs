//! An inventory that is printed and parsed is the same.

use hostlink_core::{Result, Value};
use hostlink_inventory::{Definition, Format, HostDefinition};
use serde_json::{Map, json};

/// The longest key that YAML accepts without a leading `?` (YAML 1.2.2, 7.4.2), which JSON does not
/// have. Quotes and escapes count.
const LONGEST_KEY: usize = 1024;

/// With more hosts than this, only their number is compared.
const MAX_PRINTED: usize = 10_000;

/// Checks that a definition is the same after printing and parsing it, as JSON and as YAML.
///
/// # Errors
///
/// Returns the difference.
pub fn prints_and_parses_to_the_same(definition: &Definition) -> Result<(), String> {
    written_again(definition, Definition::read)
}

/// Does the work of [`prints_and_parses_to_the_same`] with a given reader.
///
/// # Errors
///
/// Returns the difference.
pub fn written_again(
    definition: &Definition,
    read: impl Fn(&str, Format, &str) -> Result<Definition>,
) -> Result<(), String> {
    if hosts(definition).count() > MAX_PRINTED {
        return Ok(());
    }
    let printed = json_of(definition);
    for format in [Format::Json, Format::Yaml] {
        if format == Format::Yaml && longest_key(definition) > LONGEST_KEY {
            continue;
        }
        let again = read(&printed, format, "printed")
            .map_err(|error| format!("{printed} is not valid {format:?}: {error}"))?;
        if !are_same(definition, &again) || json_of(&again) != printed {
            return Err(format!("{printed} is {} when it is read as {format:?}", json_of(&again)));
        }
    }
    Ok(())
}

/// Returns the tree as JSON, which is YAML too.
fn json_of(definition: &Definition) -> String {
    let hosts = |hosts: &[HostDefinition]| hosts.iter().map(json_of_host).collect::<Vec<_>>();
    let groups = definition.groups.iter().map(|(name, group)| {
        let children: Vec<&str> = group.children.iter().map(|child| child.name.as_str()).collect();
        let group = json!({
            "hosts": hosts(&group.hosts), "children": children, "data": group.data,
        });
        (name.clone(), group)
    });
    let groups: Map<String, serde_json::Value> = groups.collect();
    let whole =
        json!({"data": definition.data, "hosts": hosts(&definition.hosts), "groups": groups});
    escaped_for_yaml(&whole.to_string())
}

fn json_of_host(host: &HostDefinition) -> serde_json::Value {
    if host.target.is_none() && host.data.iter().next().is_none() {
        return json!(host.name);
    }
    let mut object = Map::from_iter([("name".to_owned(), json!(host.name))]);
    if let Some(target) = &host.target {
        object.insert("target".into(), json!(target));
    }
    object.insert("data".into(), json!(host.data));
    object.into()
}

/// Escapes the characters that JSON allows as they are, and YAML does not (YAML 1.2,
/// `c-printable`). They can only be in strings.
fn escaped_for_yaml(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => text.push(c),
        }
    }
    text
}

fn hosts(definition: &Definition) -> impl Iterator<Item = &HostDefinition> {
    definition.hosts.iter().chain(definition.groups.values().flat_map(|group| &group.hosts))
}

/// Returns whether two definitions are the same, apart from positions in files.
fn are_same(one: &Definition, other: &Definition) -> bool {
    let of_host =
        |host: &HostDefinition| (host.name.clone(), host.target.clone(), host.data.clone());
    let of_hosts = |hosts: &[HostDefinition]| hosts.iter().map(of_host).collect::<Vec<_>>();
    let groups = |it: &Definition| -> Vec<_> {
        let groups = it.groups.iter().map(|(name, group)| {
            let children: Vec<String> =
                group.children.iter().map(|child| child.name.clone()).collect();
            (name.clone(), of_hosts(&group.hosts), children, group.data.clone())
        });
        groups.collect()
    };
    one.data == other.data
        && of_hosts(&one.hosts) == of_hosts(&other.hosts)
        && groups(one) == groups(other)
}

fn longest_key(definition: &Definition) -> usize {
    let groups = definition.groups.values();
    let data = hosts(definition).map(|host| &host.data).chain(groups.map(|group| &group.data));
    let entries = data.chain([&definition.data]).flat_map(|data| data.iter());
    let of_data = entries.map(|(key, value)| printed_length(key).max(longest_key_of(value)));
    of_data.chain(definition.groups.keys().map(|key| printed_length(key))).max().unwrap_or(0)
}

fn longest_key_of(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(longest_key_of).max().unwrap_or(0),
        Value::Map(entries) => {
            let keys =
                entries.iter().map(|(key, value)| printed_length(key).max(longest_key_of(value)));
            keys.max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Returns the most characters that a key can have in JSON, with its quotes.
fn printed_length(key: &str) -> usize {
    let length = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_control() || c >= '\u{fffe}' => 6,
        _ => 1,
    };
    2 + key.chars().map(length).sum::<usize>()
}
