//! From the value of an output to hosts.

use std::net::Ipv6Addr;

use hostlink_core::{Data, Error, ErrorKind, NameData, Result, Value};
use indexmap::IndexMap;

use crate::source::Source;
use crate::tree::{described, get, into_entries};
use crate::words;

/// Maximum number of faults of one output that are reported.
const MOST_FAULTS: usize = 5;

/// The shapes that an output may have.
const SHAPES: &str =
    "text, a map with name or ssh_hostname, a list of these, or a map of groups to such lists";

/// The hosts of the output, or part of one, at `path`. One that is in several groups is listed
/// once.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: the value has another shape, or says two things of one host. No value
/// is shown.
pub(crate) fn hosts(path: &str, value: &Value, source: &Source) -> Result<Vec<NameData>> {
    let mut reading = Reading::default();
    match value {
        Value::List(items) => reading.list(path, None, items),
        Value::Map(groups) if groups.values().all(|it| matches!(it, Value::List(_))) => {
            for (group, items) in groups {
                let Value::List(items) = items else { continue };
                reading.group(path, group, items);
            }
        }
        single => reading.host(path, None, single),
    }
    reading.finish(source)
}

#[derive(Default)]
struct Reading {
    hosts: IndexMap<String, NameData>,
    faults: Vec<String>,
}

impl Reading {
    fn group(&mut self, path: &str, group: &str, items: &[Value]) {
        if group.is_empty() || group.starts_with('@') || group.chars().any(char::is_control) {
            self.faults.push(format!("{path}: {group:?} is not a valid group name"));
        }
        // All hosts are in the group of all hosts.
        let named = Some(group).filter(|group| *group != "all");
        self.list(&format!("{path}.{group}"), named, items);
    }

    fn list(&mut self, path: &str, group: Option<&str>, items: &[Value]) {
        for (index, item) in items.iter().enumerate() {
            self.host(&format!("{path}.{index}"), group, item);
        }
    }

    fn host(&mut self, path: &str, group: Option<&str>, value: &Value) {
        match host(path, value) {
            Ok(host) => self.add(path, group.into_iter().fold(host, NameData::with_group)),
            Err(problem) => self.faults.push(format!("{path} {problem}")),
        }
    }

    fn add(&mut self, path: &str, host: NameData) {
        let Some(known) = self.hosts.get_mut(&host.name) else {
            self.hosts.insert(host.name.clone(), host);
            return;
        };
        for (key, value) in host.data.iter() {
            if known.data.get(key).is_some_and(|known| known != value) {
                let name = &host.name;
                self.faults.push(format!(
                    "{path} and another entry say different things of {key} of {name}"
                ));
            }
        }
        if known.target != host.target {
            self.faults.push(format!("{path} and another entry reach {} differently", host.name));
        }
        known.data.merge(&host.data);
        let new = host.groups.into_iter().filter(|group| !known.groups.contains(group));
        known.groups.extend(new.collect::<Vec<_>>());
    }

    fn finish(self, source: &Source) -> Result<Vec<NameData>> {
        if self.faults.is_empty() {
            return Ok(self.hosts.into_values().collect());
        }
        let more = self.faults.len().saturating_sub(MOST_FAULTS);
        let more = (more > 0).then(|| format!("and {more} more like it"));
        let told: Vec<String> = self.faults.into_iter().take(MOST_FAULTS).chain(more).collect();
        Err(Error::new(ErrorKind::Inventory, format!("{source}: {}", told.join("; "))))
    }
}

fn host(path: &str, value: &Value) -> Result<NameData, String> {
    match value {
        Value::String(text) => of_text(text),
        Value::Secret(_) => {
            let data = Data::new().with("ssh_hostname", value.clone());
            Ok(reached_at(words::host_name(path), data))
        }
        Value::Map(_) => of_map(path, value),
        other => Err(format!("is {}, where hosts are expected: {SHAPES}", described(other))),
    }
}

/// A host over SSH, with the user and the port if they are given, or the name of another target.
fn of_text(text: &str) -> Result<NameData, String> {
    check_name(text)?;
    let host = NameData::new(text);
    Ok(if text.starts_with('@') {
        host.with_target(text)
    } else if is_address(text) {
        host.with_data("ssh_hostname", text)
    } else {
        host
    })
}

fn of_map(path: &str, value: &Value) -> Result<NameData, String> {
    let name = shown(path, value, "name")?;
    let target = shown(path, value, "target")?;
    let by_address = || match get(value, "ssh_hostname")? {
        Value::String(address) => Some(address.clone()),
        Value::Secret(_) => Some(words::host_name(path)),
        _ => None,
    };
    let name = name.or_else(by_address).or_else(|| target.clone()).ok_or_else(|| {
        format!("is a map without name and ssh_hostname, where hosts are expected: {SHAPES}")
    })?;
    check_name(&name)?;
    let is_data = |(key, value): &(String, Value)| {
        !["name", "target"].contains(&key.as_str()) && *value != Value::Null
    };
    let data: Data = into_entries(value.clone()).into_iter().filter(is_data).collect();
    if let Some((key, _)) = data.iter().find(|(_, value)| value.has_lost_digits()) {
        return Err(format!(
            "has a whole number as {key} that does not fit into 64 bits: make it text"
        ));
    }
    Ok(match target {
        Some(target) => NameData { data, ..NameData::new(name).with_target(target) },
        None if name.starts_with('@') => {
            NameData { data, ..NameData::new(name.clone()).with_target(name) }
        }
        None => reached_at(name, data),
    })
}

/// Returns a value that is shown in a sensitive output too: a host's name, or how it is reached.
fn shown(path: &str, value: &Value, key: &str) -> Result<Option<String>, String> {
    match get(value, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Secret(text)) => Ok(Some(text.expose().to_owned())),
        Some(Value::Int(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(format!("has {} as {key}: {path}.{key} must be text", described(other))),
    }
}

/// A host over SSH. Its name need not be one that SSH takes, if its data says where it is.
fn reached_at(name: String, data: Data) -> NameData {
    let by_data = data.get("ssh_hostname").is_some() && !words::is_plain(&name);
    let host = NameData { data, ..NameData::new(name) };
    match by_data {
        true => {
            let placeholder = format!("@ssh/host-{}", words::host_name(&host.name));
            host.with_target(placeholder)
        }
        false => host,
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        return Err(
            "is empty, or has white space around it or a control character in it".to_owned()
        );
    }
    Ok(())
}

/// Returns whether this is a host alone, without a user and a port.
fn is_address(text: &str) -> bool {
    words::is_plain(text) || text.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::masked;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    fn read(value: &Value) -> Result<Vec<NameData>> {
        hosts("out", value, &Source::File("x".into()))
    }

    /// `name[ -> target]{data} groups`.
    fn short(host: &NameData) -> String {
        let target = host.target.as_ref().map(|it| format!(" -> {it}")).unwrap_or_default();
        let data: Vec<String> =
            host.data.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{}{target}{{{}}} {}", host.name, data.join(" "), host.groups.join(" "))
    }

    #[test]
    fn every_shape_is_read() {
        for (json, expected) in [
            (r#""192.0.2.1""#, vec!["192.0.2.1{ssh_hostname=\"192.0.2.1\"} "]),
            (
                r#"["a.example", "2001:db8::1", "deploy@b:2222", "@docker/c"]"#,
                vec![
                    "a.example{ssh_hostname=\"a.example\"} ",
                    "2001:db8::1{ssh_hostname=\"2001:db8::1\"} ",
                    "deploy@b:2222{} ",
                    "@docker/c -> @docker/c{} ",
                ],
            ),
            (
                r#"[{"name":"a","ssh_hostname":"192.0.2.1","ssh_port":22,"x":null},{"ssh_hostname":"b","_sudo":true},
                    {"name":"c d","ssh_hostname":"192.0.2.2"},{"name":"e","target":"@ssh/h/@docker/e","n":[1]},
                    {"name":7}, {"target":"@docker/f"}, {"name":"@docker/g"}]"#,
                vec![
                    "a{ssh_hostname=\"192.0.2.1\" ssh_port=22} ",
                    "b{ssh_hostname=\"b\" _sudo=true} ",
                    "c d -> @ssh/host-c-d{ssh_hostname=\"192.0.2.2\"} ",
                    "e -> @ssh/h/@docker/e{n=[1]} ",
                    "7{} ",
                    "@docker/f -> @docker/f{} ",
                    "@docker/g -> @docker/g{} ",
                ],
            ),
            (
                r#"{"web":["a",{"name":"b","k":1}],"db":[{"name":"b","j":2}],"none":[],"all":["c"]}"#,
                vec!["a{ssh_hostname=\"a\"} web", "b{k=1 j=2} web db", "c{ssh_hostname=\"c\"} "],
            ),
            (r#"{"name":"a","ports":[1]}"#, vec!["a{ports=[1]} "]),
            ("[]", vec![]),
            ("{}", vec![]),
        ] {
            let found = read(&value(json)).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(found.iter().map(short).collect::<Vec<_>>(), expected, "{json}");
        }
    }

    #[test]
    fn in_a_sensitive_output_only_names_are_shown() {
        let json = r#"{"web":["192.0.2.1",{"name":"a","ssh_hostname":"hunter2","ssh_port":22,"deep":{"x":["hunter2"]}},
                       {"ssh_hostname":"hunter2"}]}"#;
        let found = read(&masked(value(json))).unwrap();
        assert_eq!(
            found.iter().map(short).collect::<Vec<_>>(),
            [
                "out.web.0{ssh_hostname=***} web",
                "a{ssh_hostname=*** ssh_port=22 deep={\"x\": [***]}} web",
                "out.web.2{ssh_hostname=***} web",
            ]
        );
        assert!(!format!("{found:?}").contains("hunter2"));
        let Some(Value::Secret(address)) = found[1].data.get("ssh_hostname") else { panic!() };
        assert_eq!(address.expose(), "hunter2");
    }

    #[test]
    fn what_is_no_host_is_told_by_its_place_and_kind() {
        let shapes = format!("where hosts are expected: {SHAPES}");
        for (json, problem) in [
            ("5", format!("out is a number, {shapes}")),
            ("null", format!("out is nothing, {shapes}")),
            (r#"["a", true, ["b"]]"#, format!("out.1 is true or false, {shapes}; out.2 is a list, {shapes}")),
            (
                r#"{"web":"hunter2"}"#,
                format!("out is a map without name and ssh_hostname, {shapes}"),
            ),
            (
                r#"{"web":[{"ssh_user":"hunter2"}]}"#,
                format!("out.web.0 is a map without name and ssh_hostname, {shapes}"),
            ),
            (
                r#"[{"name":"a","id":123456789012345678901}]"#,
                "out.0 has a whole number as id that does not fit into 64 bits: make it text".to_owned(),
            ),
            (r#"[{"name":["hunter2"]}]"#, "out.0 has a list as name: out.0.name must be text".to_owned()),
            (r#"{"@ssh":["a"]}"#, "out: \"@ssh\" is not a valid group name".to_owned()),
            (
                r#"["", " a", "a\nb"]"#,
                ["out.0", "out.1", "out.2"]
                    .map(|it| format!("{it} is empty, or has white space around it or a control character in it"))
                    .join("; "),
            ),
            (
                r#"{"a":[{"name":"h","k":"hunter2"}],"b":[{"name":"h","k":"hunter3"},{"name":"h","target":"@docker/h"}]}"#,
                "out.b.0 and another entry say different things of k of h; \
                 out.b.1 and another entry reach h differently"
                    .to_owned(),
            ),
        ] {
            let error = read(&value(json)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Inventory);
            assert_eq!(error.to_string(), format!("x: {problem}"), "{json}");
        }
        let many = read(&value("[1,2,3,4,5,6,7]")).unwrap_err().to_string();
        assert!(many.ends_with("; and 2 more like it"), "{many}");
    }
}
