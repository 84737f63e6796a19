//! Ansible's INI format (`ansible.builtin.ini`).

use std::sync::Arc;

use hostlink_core::{Data, Result, Value};

use super::raw::{Raw, UNGROUPED};
use crate::format::Format;
use crate::node::{BYTES_OF_A_VALUE, DEEPEST};
use crate::place::{Faults, Position};
use crate::range::Ranges;
use crate::tree::{group_name_fault, host_name_fault};

#[derive(Clone, Copy)]
enum Section {
    Hosts,
    Vars,
    Children,
    /// One whose heading is wrong.
    Nothing,
}

/// How many lists and maps are around a value of a host where an inventory is printed.
const AROUND: usize = 4;

/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every line that cannot be read.
pub(super) fn read(text: &str, source: &Arc<str>, raw: &mut Raw) -> Result<()> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut faults, mut ranges) = (Faults::new(source), Ranges::default());
    let (mut group, mut section) = (UNGROUPED.to_owned(), Section::Hosts);
    for (number, line) in text.lines().enumerate() {
        let at = Position::new(number + 1, line.len() - line.trim_start().len() + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let outcome = if let Some(heading) = line.strip_prefix('[').filter(|_| is_heading(line)) {
            self::heading(heading).map(|(name, kind)| {
                raw.group(name, at);
                (group, section) = (name.to_owned(), kind);
            })
        } else {
            match section {
                Section::Hosts => hosts(line, &group, at, raw, &mut ranges),
                Section::Vars => variable(line).map(|(key, value)| {
                    raw.add_group_data(&group, &Data::new().with(key, value));
                }),
                Section::Children => {
                    let name = without_comment(line);
                    match group_name_fault(name) {
                        None => {
                            raw.add_child(&group, name, at);
                            Ok(())
                        }
                        Some(fault) => Err(fault),
                    }
                }
                Section::Nothing => Ok(()),
            }
        };
        if let Err(problem) = outcome {
            faults.add(at, problem);
            if is_heading(line) {
                section = Section::Nothing;
            }
        }
    }
    faults.finish()
}

/// A line in brackets. A host may begin with a range or an address: `[a-c].example.com`, `[::1]`.
fn is_heading(line: &str) -> bool {
    let line = without_comment(line);
    line.starts_with('[') && line.ends_with(']') && !line.contains("::")
}

fn without_comment(line: &str) -> &str {
    line.split([' ', '\t']).next().unwrap_or(line)
}

/// What stands behind the bracket that opens a heading.
fn heading(text: &str) -> Result<(&str, Section), String> {
    let inside = without_comment(text).trim_end_matches(']');
    let (name, section) = match inside.split_once(':') {
        None => (inside, Section::Hosts),
        Some((name, "vars")) => (name, Section::Vars),
        Some((name, "children")) => (name, Section::Children),
        Some((_, other)) => {
            return Err(format!("[{inside}]: there are :vars and :children, and no :{other}"));
        }
    };
    match group_name_fault(name) {
        Some(fault) if name != crate::definition::ALL => Err(fault),
        _ => Ok((name, section)),
    }
}

fn hosts(
    line: &str,
    group: &str,
    at: Position,
    raw: &mut Raw,
    ranges: &mut Ranges,
) -> Result<(), String> {
    let words = split(line)?;
    let beside = line.len() + words.len() * BYTES_OF_A_VALUE;
    let mut words = words.into_iter();
    let (names, port) = with_port(&words.next().unwrap_or_default(), beside, ranges)?;
    let mut data = Data::new();
    if let Some(port) = port {
        data.insert("ansible_port", port);
    }
    for word in words {
        let (key, value) = word.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(
            // What has no equals sign may be a part of a secret.
            || "a host is followed by KEY=VALUE; values with white space are in quotes".to_owned(),
        )?;
        data.insert(key, literal(value));
    }
    for name in names {
        raw.add_host(&name, group, &data, at);
    }
    Ok(())
}

/// The hosts of a word, and the port behind them.
fn with_port(
    word: &str,
    beside: usize,
    ranges: &mut Ranges,
) -> Result<(Vec<String>, Option<i64>), String> {
    let after_brackets = word.rfind(']').map_or(0, |at| at + 1);
    let colons = word[after_brackets..].matches(':').count();
    let (name, port) = match word[after_brackets..].find(':') {
        Some(at) if colons == 1 => {
            let (name, port) = word.split_at(after_brackets + at);
            let number =
                port[1..].parse::<u16>().map_err(|_| format!("{word}: this is no port"))?;
            (name, Some(i64::from(number)))
        }
        // Two colons are an address.
        _ => (word, None),
    };
    if let Some(fault) = host_name_fault(name) {
        return Err(fault);
    }
    // With a step, which is no address.
    let has_step = name.find('[').is_some_and(|at| at > 0 && name[at..].matches(':').count() == 2);
    if has_step {
        return Err(format!("{name}: a range with a step is not known here"));
    }
    let name = name
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .filter(|it| it.contains("::"))
        .unwrap_or(name);
    ranges.expand(name, beside).map(|names| (names, port)).map_err(|error| error.to_string())
}

fn variable(line: &str) -> Result<(String, Value), String> {
    let (key, value) = line
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| "a variable is KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), literal(value)))
}

/// A value as Ansible reads it: by Python's literals where it is one, as text otherwise.
fn literal(text: &str) -> Value {
    let quoted = |quote: char| {
        let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains(['\\', quote])).then(|| inside.to_owned())
    };
    if let Some(inside) = quoted('"').or_else(|| quoted('\'')) {
        return Value::String(inside);
    }
    match text {
        "True" => return Value::Bool(true),
        "False" => return Value::Bool(false),
        "None" => return Value::Null,
        _ => {}
    }
    // Python knows no number with zeros in front.
    let digits = text.trim_start_matches('-');
    if (!digits.starts_with('0') || digits == "0")
        && let Ok(number) = text.parse()
    {
        return Value::Int(number);
    }
    let is_collection = text.starts_with(['[', '{']) && !text.starts_with("{{");
    if is_collection
        // Python's lists and dictionaries of plain things are those of YAML, but for its names of constants.
        && let Ok(node) = Format::Yaml.read(text, &"".into())
        && node.depth() <= DEEPEST - AROUND
    {
        return node.into_value();
    }
    Value::String(text.to_owned())
}

/// Words as a shell splits them, up to a comment.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\\' => word.get_or_insert_default().extend(characters.next()),
            quote @ ('"' | '\'') => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        None => return Err(format!("a {quote} is not closed")),
                        Some(end) if end == quote => break,
                        Some('\\') if quote == '"' => match characters.next() {
                            Some(escaped @ ('"' | '\\')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => return Err(format!("a {quote} is not closed")),
                        },
                        Some(other) => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        for (line, words) in [
            ("a b=c", &["a", "b=c"][..]),
            ("a b='c d' e=\"f \\\"g\" # no", &["a", "b=c d", "e=f \"g"]),
            ("a b=c#d e=\\ f", &["a", "b=c#d", "e= f"]),
            ("a b=''", &["a", "b="]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert!(split("a 'b").is_err());
    }

    #[test]
    fn values_are_pythons_literals_or_text() {
        for (text, value) in [
            ("5", "5"),
            ("-3", "-3"),
            ("0", "0"),
            ("0644", "\"0644\""),
            ("True", "true"),
            ("true", "\"true\""),
            ("'a b'", "\"a b\""),
            ("\"5\"", "\"5\""),
            ("a # b", "\"a # b\""),
            ("['a', 1]", "[\"a\", 1]"),
            ("{'k': 'v'}", "{\"k\": \"v\"}"),
            ("{{ x }}", "\"{{ x }}\""),
            ("[x", "\"[x\""),
            ("1.5", "\"1.5\""),
        ] {
            assert_eq!(literal(text).to_string(), value, "{text}");
        }
    }

    fn definition(text: &str) -> Result<crate::Definition, String> {
        crate::Definition::read_ansible_ini(text, "f").map_err(|error| error.to_string())
    }

    #[test]
    fn values_that_could_not_be_printed_and_read_again_are_text() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for (depth, is_list) in [(60, true), (61, false)] {
            let read = definition(&format!("a x=\"{}\"", nested(depth))).unwrap();
            let value = read.hosts[0].data.get("x").unwrap();
            assert_eq!(matches!(value, Value::List(_)), is_list, "{depth}");
            let printed = crate::Definition::read(&read.to_json(), Format::Yaml, "f").unwrap();
            assert_eq!(printed.hosts[0].data, read.hosts[0].data);
        }
    }

    #[test]
    fn a_byte_order_mark_belongs_to_no_name() {
        assert_eq!(definition("\u{feff}a\n").unwrap().hosts[0].name, "a");
    }

    #[test]
    fn a_host_without_a_name_is_refused_in_one_line() {
        assert_eq!(definition("'' x=1").unwrap_err(), "f:1:1: a host has no name");
        let error = definition("[a:\u{7}b]").unwrap_err();
        assert_eq!(error, "f:1:1: [a:\\u{7}b]: there are :vars and :children, and no :\\u{7}b");
    }

    #[test]
    fn hosts_of_ranges_with_much_data_are_refused() {
        let error = definition(&format!("a[1:900000] x={}", "y".repeat(3000))).unwrap_err();
        assert!(error.contains("take more than 256 MiB"), "{error}");
        let error = definition("a[1:600000]\nb[1:600000]\n").unwrap_err();
        assert!(error.starts_with("f:2:1: b[1:600000]: 1200000 names are more than"), "{error}");
    }
}
