//! The messages that users read where a real tool refuses or fails, beside the tool's own words.
//!
//! Each test makes the situations anew, and compares one file of `tests/messages`, which `cargo
//! xtask test --bless` rewrites. A row also names the first cause, which the user has to read.

mod engines_with_docker;
mod files;
mod hosts;
mod privilege_with_docker;
mod roots;
mod shells;

use std::error::Error as _;
use std::path::PathBuf;

use hostlink::transfer::TEMPORARY_MARK;
use hostlink::{CommandOutput, ConnectorArguments, Error, ErrorKind, Link, StringCommand};

/// The rows of one file.
struct Table {
    name: &'static str,
    rows: Vec<String>,
    faults: Vec<String>,
    /// Texts of this run, and what is written instead.
    masks: Vec<(String, &'static str)>,
}

impl Table {
    fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new(), faults: Vec::new(), masks: Vec::new() }
    }

    /// Writes `name` instead of a text that is different in each run.
    fn mask(&mut self, text: impl Into<String>, name: &'static str) {
        self.masks.push((text.into(), name));
    }

    /// Adds a situation. `cause` is the first cause, in the words that a user has to read.
    fn add(&mut self, situation: &str, cause: &str, error: &Error) {
        let said = without_script(error.stderr_tail().unwrap_or("(nothing)"));
        // Podman 4.3 adds this line now and then, after the reason.
        let lines = said.lines().filter(|line| !line.contains("read unixpacket"));
        let said = lines.map(|line| format!("  said   {}\n", line.trim_end())).collect::<String>();
        let reads = self.masked(&one_line(error));
        let row = without_random(&format!("{situation}\n{}  reads  {reads}\n", self.masked(&said)));
        let faults = [
            (!reads.contains(cause), format!("{cause:?} is missing")),
            (reads.lines().count() != 1, "it is not one line".to_owned()),
            (reads.contains(TEMPORARY_MARK), "a hidden name is shown".to_owned()),
        ];
        let faults = faults.into_iter().filter(|(is_one, _)| *is_one);
        self.faults.extend(faults.map(|(_, fault)| format!("{fault}:\n{row}")));
        self.rows.push(row);
    }

    fn masked(&self, text: &str) -> String {
        self.masks.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// Compares with the committed file, or rewrites it.
    fn compare(self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("messages").join(self.name);
        let text = self.rows.join("\n");
        if std::env::var_os("HOSTLINK_BLESS").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        assert!(self.faults.is_empty(), "{}", self.faults.join("\n"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let rows: Vec<&str> = committed.split("\n\n").map(str::trim_end).collect();
        for row in &self.rows {
            assert!(
                rows.contains(&row.trim_end()),
                "not in {}, which `cargo xtask test --bless` rewrites:\n{row}",
                path.display()
            );
        }
        assert_eq!(rows.len(), self.rows.len(), "{} has other rows", path.display());
    }
}

/// Returns the line that the command prints, as `explain.rs` of hostlink-cli makes it.
fn one_line(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        if !text.contains(&cause.to_string()) {
            text = format!("{text}: {cause}");
        }
        source = cause.source();
    }
    text
}

/// Removes our script, which sudo quotes.
fn without_script(said: &str) -> String {
    match said.find("_hl_").zip(said.rfind("true'")) {
        Some((start, end)) => format!("{}SCRIPT{}", &said[..start], &said[end + "true".len()..]),
        None => said.to_owned(),
    }
}

/// Removes random parts of temporary names and fingerprints, and numbers of descriptors and lines.
fn without_random(text: &str) -> String {
    let mut masked = text.to_owned();
    for mark in [TEMPORARY_MARK, "SHA256:", "/self/fd/", "  sh: ", " line "] {
        let mut parts = masked.split(mark);
        let first = parts.next().unwrap_or_default().to_owned();
        let is_random = |c: char| match mark {
            TEMPORARY_MARK => c.is_ascii_hexdigit(),
            "SHA256:" => c.is_ascii_alphanumeric() || "+/".contains(c),
            _ => c.is_ascii_digit(),
        };
        masked = parts.fold(first, |text, part| text + mark + part.trim_start_matches(is_random));
    }
    masked
}

/// Runs a line of shell that fails, or that is not started.
async fn failed(link: &Link, line: &str, arguments: &ConnectorArguments) -> Error {
    let output = link.run_shell_command(&StringCommand::shell(line), arguments).await;
    match output.and_then(CommandOutput::check) {
        Err(error) => error,
        Ok(_) => Error::new(ErrorKind::Unsupported, "it succeeded"),
    }
}

#[test]
fn the_control_a_row_without_its_cause_or_with_a_hidden_name_is_refused() {
    let error = |text: &str| Error::new(ErrorKind::Transfer, text);
    let hidden = format!("cannot create /srv/.f{TEMPORARY_MARK}0123: no");
    for (cause, text) in [("disk full", "tar failed"), ("", "two\nlines"), ("", &hidden)] {
        let mut table = Table::new("none");
        table.add("it", cause, &error(text));
        assert_eq!(table.faults.len(), 1, "{text}");
    }
    let mut table = Table::new("none");
    table.add("it", "disk full", &error("no: disk full"));
    assert!(table.faults.is_empty());
}
