//! From the text of a file to a tree.

mod json;
mod toml;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use hostlink_core::{Error, ErrorKind, Result};

use crate::node::{DEEPEST, Key, Kind, Node};
use crate::place::{Place, Position};

/// A format of inventory files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The tree in TOML: `.toml`.
    Toml,
    /// The tree in YAML: `.yaml` and `.yml`.
    Yaml,
    /// The tree in JSON: `.json`.
    Json,
    /// An Ansible inventory in INI: `.ini`.
    Ini,
}

/// A fault of a text, with its position.
pub(crate) type Fault = (Position, String);

/// Whose rules a text follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Our own inventory files.
    Own,
    /// Ansible's files, where a value that Ansible Vault encrypted (`!vault`) is text.
    Ansible,
}

/// The result of reading a text in one format.
struct Read {
    node: Node,
    /// Keys that a map had already. The last value of a key is in the tree.
    repeated: Vec<Key>,
}

type Reader = fn(&str, Dialect) -> Result<Read, Fault>;

/// A tree, and what is odd about its text.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) node: Node,
    /// Keys that a map had already. The last value of a key is in the tree.
    pub(crate) repeated: Vec<Key>,
    source: Arc<str>,
}

impl Document {
    /// A text without anything in it.
    pub(crate) fn empty(source: &Arc<str>) -> Self {
        let node = Node { at: Position::default(), kind: Kind::Null };
        Self { node, repeated: Vec::new(), source: source.clone() }
    }

    /// The tree of one of our own files, where a key may be given once.
    pub(crate) fn strict(self) -> Result<Node> {
        match self.repeated.first() {
            None => Ok(self.node),
            Some(Key { at, text }) => {
                let place = Place::new(&self.source, *at);
                Err(place.error(format_args!("the key {text:?} is given twice")))
            }
        }
    }
}

struct Row {
    format: Format,
    name: &'static str,
    endings: &'static [&'static str],
    /// Reads the tree; `None` if the format has no tree.
    reader: Option<Reader>,
}

/// All formats. A new one is a variant of [`Format`], a row here, and a line of the README.
const FORMATS: [Row; 4] = [
    Row {
        format: Format::Toml,
        name: "TOML",
        endings: &["toml"],
        reader: Some(|text, _| toml::read(text)),
    },
    Row { format: Format::Yaml, name: "YAML", endings: &["yaml", "yml"], reader: Some(yaml::read) },
    Row {
        format: Format::Json,
        name: "JSON",
        endings: &["json"],
        reader: Some(|text, _| json::read(text)),
    },
    Row { format: Format::Ini, name: "INI", endings: &["ini"], reader: None },
];

impl Format {
    /// Returns the format that the ending of a file name stands for.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        FORMATS.iter().find(|row| row.endings.contains(&ending)).map(|row| row.format)
    }

    /// The name of the format, for messages.
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns whether files of this format hold a tree: an inventory of ours, or data of a group
    /// or host.
    pub(crate) fn has_tree(self) -> bool {
        self.row().reader.is_some()
    }

    /// The endings of inventory files as text: `.toml, .yaml or .json`.
    pub(crate) fn endings() -> String {
        let endings = FORMATS.iter().flat_map(|row| row.endings);
        alternatives(endings.map(|ending| format!(".{ending}")))
    }

    /// The file names that `stem` may have as text: `web.toml, web.yaml or web.json`.
    pub(crate) fn tree_files(stem: &str) -> String {
        let rows = FORMATS.iter().filter(|row| row.reader.is_some());
        alternatives(rows.flat_map(|row| row.endings).map(|ending| format!("{stem}.{ending}")))
    }

    /// Reads the tree of a text. `source` names the text in errors.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`], with line and column; or the format has no tree.
    pub(crate) fn read(self, text: &str, dialect: Dialect, source: &Arc<str>) -> Result<Document> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Row { name, reader, .. } = self.row();
        let Some(reader) = reader else {
            let message = format!("{source}: {name} has no tree of data");
            return Err(Error::new(ErrorKind::Inventory, message));
        };
        let read = reader(text, dialect).and_then(|read| match read.node.depth() {
            depth if depth > DEEPEST => Err((read.node.at, TOO_DEEP.to_owned())),
            _ => Ok(read),
        });
        let read = read.map(|Read { node, repeated }| {
            let source = source.clone();
            Document { node, repeated, source }
        });
        read.map_err(|(at, problem)| {
            let problem = problem.trim().replace('\n', " ");
            Place::new(source, at).error(format_args!("this {name} cannot be read: {problem}"))
        })
    }

    fn row(self) -> &'static Row {
        FORMATS.iter().find(|row| row.format == self).expect("every format has a row")
    }
}

/// `a, b or c`.
fn alternatives(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    let last = words.pop().unwrap_or_default();
    match words.is_empty() {
        true => last,
        false => format!("{} or {last}", words.join(", ")),
    }
}

/// The digits that a floating-point number would lose may be those of an account or a key.
pub(crate) const TOO_LARGE: &str =
    "this whole number does not fit into 64 bits: put it in quotes to have it as text";

pub(crate) const TOO_DEEP: &str = "lists and maps are nested too deeply";

#[cfg(test)]
mod tests;
