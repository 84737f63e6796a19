//! Ansible's INI format (`ansible.builtin.ini`).

use std::collections::HashSet;
use std::sync::Arc;

use hostlink_core::{Data, Result, nearest};

use super::literal;
use super::raw::{Raw, UNGROUPED};
use super::reading::Reading;
use crate::definition::ALL;
use crate::node::BYTES_OF_A_VALUE;
use crate::place::Position;
use crate::tree::group_name_fault;

#[derive(Clone, Copy)]
enum Section {
    Hosts,
    Vars,
    Children,
    /// One whose heading is wrong.
    Nothing,
}

/// # Errors
///
/// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every line that cannot be
/// read.
pub(super) fn read(text: &str, source: &Arc<str>, raw: &mut Raw) -> Result<()> {
    let mut reading = Reading::new(source, raw);
    let (mut group, mut section) = (UNGROUPED.to_owned(), Section::Hosts);
    let mut declared = Declared::default();
    for (number, line) in text.lines().enumerate() {
        let at = Position::new(number + 1, line.len() - line.trim_start().len() + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let outcome = if let Some(heading) = line.strip_prefix('[').filter(|_| is_heading(line)) {
            self::heading(heading).map(|(name, kind)| {
                declared.heading(name, kind, at, &mut reading);
                (group, section) = (name.to_owned(), kind);
            })
        } else {
            match section {
                Section::Hosts => hosts(line, &group, at, &mut reading),
                Section::Vars => variable(line, &group, at, &mut reading),
                Section::Children => {
                    let name = without_comment(line);
                    declared.names.insert(name.to_owned());
                    child(name, &group, at, &mut reading)
                }
                Section::Nothing => Ok(()),
            }
        };
        if let Err(problem) = outcome {
            reading.faults.add(at, problem);
            if is_heading(line) {
                section = Section::Nothing;
            }
        }
    }
    declared.check(&mut reading);
    reading.finish()
}

/// Which groups there are: variables alone make none.
#[derive(Default)]
struct Declared {
    names: HashSet<String>,
    /// Those that variables were given for before anything else named them.
    awaited: Vec<(String, Position)>,
}

impl Declared {
    fn heading(&mut self, name: &str, section: Section, at: Position, reading: &mut Reading<'_>) {
        let is_vars = matches!(section, Section::Vars);
        let exists = [ALL, UNGROUPED].contains(&name) || reading.raw.groups.contains_key(name);
        if !is_vars {
            self.names.insert(name.to_owned());
        } else if !exists {
            self.awaited.push((name.to_owned(), at));
        }
        let place = reading.place(at);
        reading.raw.group(name, &place);
    }

    fn check(&self, reading: &mut Reading<'_>) {
        let is_missing = |name: &str| !self.names.contains(name);
        let missing: Vec<_> = self.awaited.iter().filter(|(name, _)| is_missing(name)).collect();
        for (name, at) in &missing {
            let groups = reading.raw.groups.keys().map(String::as_str);
            let others = groups.filter(|known| missing.iter().all(|(name, _)| name != known));
            let hint = nearest::hint(name, others.chain(self.names.iter().map(String::as_str)));
            let problem = format!("[{name}:vars]: there is no group {name:?}{hint}");
            reading.faults.add(*at, problem);
        }
    }
}

/// A line in brackets, and perhaps a comment. A host may begin with a range or an address:
/// `[a-c].example.com`, `[::1]`.
fn is_heading(line: &str) -> bool {
    let inner = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let Some((inside, after)) = inner else { return false };
    let is_over = after.is_empty() || after.starts_with([' ', '\t', '#']);
    is_over && !inside.contains([' ', '\t']) && !inside.contains("::")
}

fn without_comment(line: &str) -> &str {
    line.split([' ', '\t']).next().unwrap_or(line)
}

/// Reads a heading, without the bracket that opens it.
fn heading(text: &str) -> Result<(&str, Section), String> {
    let inside = text.split(']').next().unwrap_or(text);
    let (name, section) = match inside.split_once(':') {
        None => (inside, Section::Hosts),
        Some((name, "vars")) => (name, Section::Vars),
        Some((name, "children")) => (name, Section::Children),
        Some((_, other)) => {
            return Err(format!("[{inside}]: there are :vars and :children, and no :{other}"));
        }
    };
    match group_name_fault(name) {
        Some(fault) if name != ALL => Err(fault),
        _ => Ok((name, section)),
    }
}

fn hosts(line: &str, group: &str, at: Position, reading: &mut Reading<'_>) -> Result<(), String> {
    let (words, is_cut) = split_before_comment(line)?;
    if is_cut {
        reading.raw.noted.cut.push(at.line);
    }
    let beside = line.len() + words.len() * BYTES_OF_A_VALUE;
    let mut words = words.into_iter();
    let (names, port) = reading.hosts(&words.next().unwrap_or_default(), beside)?;
    let mut data = Data::new();
    if let Some(port) = port {
        data.insert("ansible_port", port);
    }
    for word in words {
        let (key, value) = word.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(
            // What has no equals sign may be a part of a secret.
            || "a host is followed by KEY=VALUE; values with white space are in quotes".to_owned(),
        )?;
        reading.variable(key, literal::value(value), at, &mut data);
    }
    let place = reading.place(at);
    for name in names {
        reading.raw.add_host(&name, group, &data, &place);
    }
    Ok(())
}

fn variable(
    line: &str,
    group: &str,
    at: Position,
    reading: &mut Reading<'_>,
) -> Result<(), String> {
    let (key, value) = line
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| "a variable is KEY=VALUE".to_owned())?;
    let mut data = Data::new();
    reading.variable(key, literal::value(value), at, &mut data);
    reading.group_data(group, &data, at);
    Ok(())
}

fn child(name: &str, group: &str, at: Position, reading: &mut Reading<'_>) -> Result<(), String> {
    match group_name_fault(name) {
        Some(fault) => Err(fault),
        None => {
            let place = reading.place(at);
            reading.raw.add_child(group, name, &place);
            Ok(())
        }
    }
}

/// Words as a shell splits them.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    split_up_to(line, None).map(|(words, _)| words)
}

/// Words as Python's `shlex` splits them up to a comment, which begins with any `#` that is not in
/// quotes; and whether it began within a word.
fn split_before_comment(line: &str) -> Result<(Vec<String>, bool), String> {
    split_up_to(line, Some('#'))
}

fn split_up_to(line: &str, end: Option<char>) -> Result<(Vec<String>, bool), String> {
    // As most lines are.
    if !line.contains(|sign| ['\\', '"', '\''].contains(&sign) || Some(sign) == end) {
        let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        return Ok((words.map(str::to_owned).collect(), false));
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_cut = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            sign if Some(sign) == end => {
                is_cut = word.is_some();
                break;
            }
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
    Ok((words, is_cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        for (line, words, is_cut) in [
            ("a b=c", &["a", "b=c"][..], false),
            ("a b='c d' e=\"f \\\"g\" # no", &["a", "b=c d", "e=f \"g"], false),
            ("a b=c#d e=f", &["a", "b=c"], true),
            ("a#b c=d", &["a"], true),
            ("a b='c#d'e#f", &["a", "b=c#de"], true),
            ("a b=c\\#d e=\\ f #", &["a", "b=c#d", "e= f"], false),
            ("a b=''", &["a", "b="], false),
            ("a b=''#c", &["a", "b="], true),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(split_before_comment(line).unwrap(), (words, is_cut), "{line}");
        }
        assert!(split_before_comment("a 'b").is_err());
        assert_eq!(split("-o a=b#c #d").unwrap(), ["-o", "a=b#c", "#d"]);
    }

    fn definition(text: &str) -> Result<crate::Definition, String> {
        crate::Definition::read(text, crate::Format::Ini, "f").map_err(|error| error.to_string())
    }

    #[test]
    fn values_that_could_not_be_printed_and_read_again_are_text() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for (depth, is_list) in [(60, true), (61, false)] {
            let read = definition(&format!("a x=\"{}\"", nested(depth))).unwrap();
            let value = read.hosts[0].data.get("x").unwrap();
            assert_eq!(matches!(value, hostlink_core::Value::List(_)), is_list, "{depth}");
            let host = serde_json::json!({"name": "a", "data": read.hosts[0].data});
            let printed = serde_json::json!({"hosts": [host]}).to_string();
            let printed = crate::Definition::read(&printed, crate::Format::Yaml, "f").unwrap();
            assert_eq!(printed.hosts[0].data, read.hosts[0].data);
        }
    }

    #[test]
    fn a_host_that_is_wrong_hides_no_fault_behind_it() {
        let error = definition("[web]\nw[1:2] x='y\nw3 x='z\n").unwrap_err();
        assert_eq!(error, "f:2:1: a ' is not closed; f:3:1: a ' is not closed");
    }

    #[test]
    fn a_heading_may_have_a_comment_behind_it() {
        for heading in ["[web]", "[web]#prod", "[web] # prod", "[web]\t# [x]", "[web] ; prod"] {
            let read = definition(&format!("{heading}\nw1\n[web:vars]#x\nk=1\n")).unwrap();
            let group = &read.groups["web"];
            assert_eq!((group.hosts.len(), group.data.get("k")), (1, Some(&1.into())), "{heading}");
            assert_eq!(read.hosts.len(), 1, "{heading}");
        }
        assert_eq!(definition("[a-c].x y=1\n").unwrap().hosts.len(), 3);
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
